"""RTP: relay, mask, capture, vault."""
