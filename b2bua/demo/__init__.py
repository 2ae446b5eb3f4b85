"""`tonewall demo`: one paid call between two real phones, checked on the wire."""
