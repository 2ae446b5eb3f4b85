"""The payment provider's side: the one-charge payer process and its adapters."""
