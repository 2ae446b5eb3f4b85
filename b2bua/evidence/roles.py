"""Lists who may do what: the table of permissions, as it is asked."""

from __future__ import annotations

from typing import Any

from b2bua.access.permissions import PERMISSIONS
from b2bua.access.roles import ROLE_WORDS


def describe_roles() -> dict[str, Any]:
    """Roles in words, and for each operation of the API how far an agent and a supervisor reach,
    the scope that a program needs, and who else may do it."""
    return {
        "roles": {str(role): words for role, words in ROLE_WORDS.items()},
        "operations": {
            operation: {
                "agent": row.agent.name.lower(),
                "supervisor": row.supervisor.name.lower(),
                "scope": row.scope,
                "others": sorted(row.others),
                "everybody": row.everybody,
            }
            for operation, row in PERMISSIONS.items()
        },
    }
