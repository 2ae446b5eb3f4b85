"""The default SIP engine: transactions and dialogs (sans-IO) on asyncio."""
