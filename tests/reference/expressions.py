# SPDX-License-Identifier: GPL-3.0-or-later
"""Contract 3.4, read a second time: what an expression is, and when it holds. Written from the contract alone, by the
plainest means; the evaluator of the firmware is compared with this one, so nothing is to be shared between them."""

import functools
import re

MOST_BYTES = 512
ATOM = re.compile(r"user|guest|admin|self|public|role:\*|role:[a-z][a-z0-9_-]*")
BUILT_IN_ROLES = {"admin", "user", "guest", "self", "public"}


class Malformed(ValueError):
    """Not an expression, or not a policy."""


@functools.lru_cache(maxsize=100000)
def parse(text):
    """The expression as a list of terms, each a list of atoms: any term, of which all atoms."""
    if not isinstance(text, str) or len(text.encode()) > MOST_BYTES:
        raise Malformed(text)
    terms = [[atom.strip(" \t") for atom in term.split("&")] for term in text.split("|")]
    if not all(ATOM.fullmatch(atom) for term in terms for atom in term):
        raise Malformed(text)
    return terms


def atom_holds(atom, who, owner):
    if atom in ("public", "guest"):
        return True
    if atom == "user":
        return who["group"] in ("user", "admin")
    if atom == "admin":
        return who["group"] == "admin"
    if atom == "self":
        return owner
    roles = [role for role in who["roles"] if role not in BUILT_IN_ROLES]
    return bool(roles) if atom == "role:*" else atom[len("role:"):] in roles


def holds(text, who, owner):
    """Whether the expression holds for this requester, who owns the row in question or does not."""
    return any(all(atom_holds(atom, who, owner) for atom in term) for term in parse(text))
