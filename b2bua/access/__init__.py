"""Who may do what: roles, the table of permissions, and the one place where it is asked."""
