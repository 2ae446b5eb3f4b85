"""Holds the GraphQL documents by which Braintree is asked; `answers.braintree` reads what comes."""

from __future__ import annotations

_SHOWN = """
fragment Shown on Transaction {
  id
  orderId
  status
  amount { value currencyCode }
  paymentMethod { id usage }
  statusHistory {
    __typename
    status
    ... on AuthorizedEvent { processorResponse { legacyCode message authorizationId } }
    ... on ProcessorDeclinedEvent { processorResponse { legacyCode message authorizationId } }
    ... on FailedEvent { processorResponse { legacyCode message authorizationId } }
    ... on GatewayRejectedEvent {
      gatewayRejectionReason
      processorResponse { legacyCode message authorizationId }
      duplicateOf { id orderId }
    }
  }
}
"""
ACCOUNT = """
query Account($id: String!) {
  ping
  viewer {
    merchant {
      merchantAccounts(input: {id: {is: $id}}, first: 1) { edges { node { id currencyCode } } }
    }
  }
}
"""
TOKENIZE = """
mutation Tokenize($input: TokenizeCreditCardInput!) {
  tokenizeCreditCard(input: $input) { paymentMethod { id } }
}
"""
CHARGE = f"""
mutation Charge($input: ChargePaymentMethodInput!) {{
  chargePaymentMethod(input: $input) {{ transaction {{ ...Shown }} }}
}}
{_SHOWN}"""
AUTHORIZE = f"""
mutation Authorize($input: AuthorizePaymentMethodInput!) {{
  authorizePaymentMethod(input: $input) {{ transaction {{ ...Shown }} }}
}}
{_SHOWN}"""
SEARCH = f"""
query Search($order: String!) {{
  search {{
    transactions(input: {{orderId: {{is: $order}}}}, first: 10) {{ edges {{ node {{ ...Shown }} }} }}
  }}
}}
{_SHOWN}"""
CAPTURE = f"""
mutation Capture($input: CaptureTransactionInput!) {{
  captureTransaction(input: $input) {{ transaction {{ ...Shown }} }}
}}
{_SHOWN}"""
REVERSE = """
mutation Reverse($input: ReverseTransactionInput!) {
  reverseTransaction(input: $input) {
    reversal {
      __typename
      ... on Transaction { id status amount { value currencyCode } }
      ... on Refund { id status amount { value currencyCode } }
    }
  }
}
"""
REFUND = """
mutation Refund($input: RefundTransactionInput!) {
  refundTransaction(input: $input) { refund { id status amount { value currencyCode } } }
}
"""
