"""A PBX of pjsua2 that registers: `python -m tests.wire.peers.registering PORT USER PASSWORD
TRANSPORT CA-FILE`.

Writes a line when it is registered (`registered CODE`) and when a call is `up` or `over`; answers
every call. A line on standard input is a URI to call; an empty one hangs up all; the end of
standard input ends it.
"""

from __future__ import annotations

import select
import sys

import pjsua2 as pj


def say(*words: object) -> None:
    print(*words, flush=True)


class Call(pj.Call):
    def onCallState(self, prm: pj.OnCallStateParam) -> None:  # noqa: N802 — pjsua2's name
        said = {pj.PJSIP_INV_STATE_CONFIRMED: "up", pj.PJSIP_INV_STATE_DISCONNECTED: "over"}.get(
            self.getInfo().state
        )
        if said is not None:
            say("call", said)


class Account(pj.Account):
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []

    def onRegState(self, prm: pj.OnRegStateParam) -> None:  # noqa: N802
        say("registered" if self.getInfo().regIsActive else "refused", prm.code)

    def onIncomingCall(self, prm: pj.OnIncomingCallParam) -> None:  # noqa: N802
        call = Call(self, prm.callId)
        self.calls.append(call)
        answer = pj.CallOpParam()
        answer.statusCode = 200
        call.answer(answer)


_TRANSPORTS = {"udp": pj.PJSIP_TRANSPORT_UDP, "tcp": pj.PJSIP_TRANSPORT_TCP, "tls": pj.PJSIP_TRANSPORT_TLS}


def main(port: str, user: str, password: str, transport: str, authority: str) -> None:
    endpoint = pj.Endpoint()
    endpoint.libCreate()
    config = pj.EpConfig()
    config.logConfig.level = config.logConfig.consoleLevel = 0
    config.uaConfig.threadCnt, config.uaConfig.mainThreadOnly = 0, True
    endpoint.libInit(config)
    endpoint.audDevManager().setNullDev()
    own = pj.TransportConfig()
    own.boundAddress = own.publicAddress = "127.0.0.1"
    own.tlsConfig.CaListFile, own.tlsConfig.verifyServer = authority, bool(authority)
    endpoint.transportCreate(_TRANSPORTS[transport], own)
    endpoint.libStart()
    account, settings = Account(), pj.AccountConfig()
    settings.idUri = f"sip:{user}@127.0.0.1:{port}"
    settings.regConfig.registrarUri = f"sip:127.0.0.1:{port};transport={transport}"
    settings.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", user, 0, password))
    account.create(settings)
    while True:
        endpoint.libHandleEvents(20)
        if not select.select([sys.stdin], [], [], 0)[0]:
            continue
        line = sys.stdin.readline()
        if not line:
            break
        if line.strip():
            call = Call(account)
            account.calls.append(call)
            call.makeCall(line.strip(), pj.CallOpParam(True))
        else:
            endpoint.hangupAllCalls()
    account.calls.clear()
    endpoint.libDestroy()


if __name__ == "__main__":
    main(*sys.argv[1:])
