"""Keys that come as SIP INFO."""

from __future__ import annotations

from tests.wire.scene import Scene

RELAY = "application/dtmf-relay"


async def pressed(at: Scene, key: str, cseq: int, content_type: str = RELAY) -> None:
    """One key, as an INFO that is answered."""
    body = f"Signal={key}\r\nDuration=160\r\n" if content_type == RELAY else key
    at.carrier.send(at.carrier.request("INFO", call=at.near, cseq=cseq, body=body, Content_Type=content_type))
    assert (await at.carrier.hear("200")).one("CSeq") == f"{cseq} INFO"
