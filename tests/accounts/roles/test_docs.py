"""docs/people-and-roles.md has the matrix that the code has."""

from accounts.custom_roles.forms import limits
from accounts.roles import GROUPS, PERMISSIONS, Role


def matrix() -> str:
    """Return the built-in roles and what they hold as a table in Markdown."""
    heads = ["Permission", *(str(role.label) for role in Role), "Can be limited to"]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for title, permissions in GROUPS:
        lines.append(f"| **{title}** |{' |' * (len(heads) - 1)}")
        for one in permissions:
            cells = ["yes" if one in PERMISSIONS[role] else "" for role in Role]
            lines.append(f"| {one.sentence} (`{one.value}`) | {' | '.join([*cells, limits(one)])} |")
    return "\n".join(lines)


def test_the_matrix_is_true(project):
    written = (project / "docs" / "people-and-roles.md").read_text()

    assert matrix() in written
