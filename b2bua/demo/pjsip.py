"""Configures PJSIP for a telephone: no thread of its own, no log, a free port, G.711 alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pjsua2 as pj

CODECS = ("PCMU/8000", "PCMA/8000")


def start_endpoint(endpoint: Any, address: str, *, calls: int = 2, codecs: Sequence[str] = CODECS) -> int:
    """Start the endpoint on this address. The UDP port that it got."""
    config = pj.EpConfig()
    config.uaConfig.threadCnt, config.uaConfig.mainThreadOnly, config.uaConfig.maxCalls = 0, True, calls
    config.logConfig.level = config.logConfig.consoleLevel = config.logConfig.msgLogging = 0
    media = config.medConfig
    media.clockRate = media.sndClockRate = 8000
    # The null device stays open: its clock is also what completes a recording after the call.
    media.noVad, media.ecTailLen, media.sndAutoCloseTime = True, 0, -1
    media.threadCnt, media.hasIoqueue = 0, False
    endpoint.libCreate()
    endpoint.libInit(config)
    transport = pj.TransportConfig()
    transport.port, transport.boundAddress = 0, address
    number = endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
    endpoint.libStart()
    endpoint.audDevManager().setNullDev()
    for codec in endpoint.codecEnum2():
        wanted = any(codec.codecId.startswith(name) for name in codecs)
        endpoint.codecSetPriority(codec.codecId, 200 if wanted else 0)
    return int(endpoint.transportGetInfo(number).localName.rsplit(":", 1)[1])


def account_config(user: str, address: str, port: int, *, srtp: bool) -> Any:
    """The configuration of the one account of a telephone."""
    config = pj.AccountConfig()
    config.idUri = f"sip:{user}@{address}:{port}"
    # Else it would send a re-INVITE of its own after every answer that lists two codecs.
    config.mediaConfig.lockCodecEnabled = False
    if srtp:
        config.mediaConfig.srtpUse, config.mediaConfig.srtpSecureSignaling = pj.PJMEDIA_SRTP_MANDATORY, 0
    rtp = config.mediaConfig.transportConfig
    rtp.boundAddress, rtp.port, rtp.portRange, rtp.randomizePort = address, 20_000, 40_000, True
    return config
