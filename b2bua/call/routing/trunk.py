"""A trunk as the SIP engine needs it, whichever engine it is: where its peer is, how it proves
itself, what it may do."""

from __future__ import annotations

from dataclasses import dataclass, field

DYNAMIC = "dynamic"  # the host of a trunk that registers here


@dataclass(frozen=True, slots=True)
class Trunk:
    """One peer of ours as the engine needs it. `username` and `password` answer that peer's
    challenges (and no other's).

    `port`: 0 where DNS tells it (SRV), or the transport's default. `transport`: udp, tcp or tls; ""
    for what DNS prefers. `realm`: the only one whose challenges are answered, "" for that of the
    first challenge. `challenge`: its INVITEs prove that it knows `password`. Its host may be
    "dynamic": it registers here. `register`: we register there, as `user`, for `expires` seconds.
    `networks`: where its requests may come from besides the addresses of its host, as CIDR.
    `follow`: its 3xx answers are followed, not relayed. `session_expires`: seconds after which a
    session without refresh is over (RFC 4028), 0 for no session timers; `session_minimum`: the
    least that we agree to. `probe`: seconds between two OPTIONS to each of its hops, 0 for none.
    `bind`: which of our addresses it is called from, as a host or host:port; "" for the first that
    fits. `tcp_switch`: a request too large for UDP goes by TCP. `keepalive`: seconds between ours,
    0 for none. `tls_*`: paths, "" for the engine's own certificate and the system's authorities;
    `tls_name` is the name that its certificate must have, "" for its domain or host;
    `tls_verify_client`: it shows one also when it connects to us. `refer`: it may transfer calls.
    `prack`: whether our provisional answers to it are sent reliably (RFC 3262): "never", where it
    requires ("required"), or already where it knows how ("supported"). `nat`: it is reached where
    it last sent from, whatever its Contact says. `contact_host`: our name in Contact towards it, ""
    for our address.
    """

    name: str
    host: str
    port: int
    username: str = ""
    password: str = field(default="", repr=False)
    domain: str = ""
    contact_host: str = ""
    realm: str = ""
    challenge: bool = False
    register: bool = False
    user: str = ""
    expires: int = 3600
    transport: str = ""
    networks: tuple[str, ...] = ()
    follow: bool = False
    session_expires: int = 1800
    session_minimum: int = 90
    probe: float = 0.0
    bind: str = ""
    tcp_switch: bool = True
    keepalive: float = 0.0
    tls_ca: str = ""
    tls_certificate: str = ""
    tls_key: str = ""
    tls_name: str = ""
    tls_verify_client: bool = False
    # Whether what it says of who calls is believed, and it may know what is private.
    trusted: bool = False
    x_headers: tuple[str, ...] = ()  # private headers that are sent to it, in lower case; `*`: all
    user_parameters: tuple[str, ...] = ()  # of numbers, that it is sent, in lower case; `*`: all
    user_phone: bool = False  # whether numbers are marked with user=phone
    identity: bool = False  # whether signed callers (Identity) are sent to it
    refer: bool = False
    nat: bool = False
    prack: str = "required"
