"""Collecting digits: fields, the capture machine, and the vault that alone holds them."""
