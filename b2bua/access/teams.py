"""Knows who is in which team."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from b2bua.access.principal import Principal


class Teams:
    """The teams of `[access] teams`, and those that people brought along when they signed in."""

    def __init__(self, members: Mapping[str, Iterable[str]] | None = None) -> None:
        """`members`: names of people, by team."""
        self._of: dict[str, set[str]] = {}
        for team, names in (members or {}).items():
            for name in names:
                self._of.setdefault(name, set()).add(team)
        self._configured = {name: frozenset(teams) for name, teams in self._of.items()}

    def of(self, name: str) -> frozenset[str]:
        """The teams of somebody."""
        return frozenset(self._of.get(name, ()))

    def learn(self, principal: Principal) -> None:
        """Somebody was authenticated: what they brought along takes the place of what they brought
        before."""
        found = self._configured.get(principal.name, frozenset()) | principal.teams
        if found:
            self._of[principal.name] = set(found)
        else:
            self._of.pop(principal.name, None)

    def leads(self, supervisor: Principal, name: str) -> bool:
        """Whether this person is in a team of the supervisor's; everybody is, where the supervisor
        has none."""
        own = self.led_by(supervisor)
        return not own or bool(own & self.of(name))

    def led_by(self, supervisor: Principal) -> frozenset[str]:
        """The teams of a supervisor; none: all."""
        return self.of(supervisor.name) | supervisor.teams

    @classmethod
    def parse(cls, text: str) -> Teams:
        """Read `north:ann ben, south:cleo`. Raises ValueError with what was expected."""
        members: dict[str, list[str]] = {}
        for entry in filter(None, (part.strip() for part in text.split(","))):
            team, _, names = entry.partition(":")
            if not team.strip() or not names.split() or team.strip() in members:
                raise ValueError("expected team:name name, separated by commas, such as north:ann ben")
            members[team.strip()] = names.split()
        return cls(members)
