"""A view that asks for rows without saying for whom fails the build."""

import ast
from pathlib import Path

# Models whose rows lie in a cluster or a namespace, or belong to the organization alone.
SCOPED = {
    "Cluster", "Service", "Deploy", "Look", "Access", "AccessDraft", "ConnectDraft", "ExternalSecret", "InventoryEntry",
    "InventoryState", "CloudCredential", "OperatorState", "DeployStep",
}  # fmt: skip
LIMITS = {"within", "inside", "none"}
# What may be asked for without limits, each with its reason.
ALLOWED = {
    ("clusters/views/changes.py", "Look.filter"): "of a cluster whose deploys may be seen",
    ("clusters/views/clusters.py", "Look.filter"): "of a cluster whose deploys may be seen",
    ("clusters/views/connect.py", "ConnectDraft.filter"): "takes old drafts away, whoever's they are",
    ("clusters/views/connect.py", "ConnectDraft.create"): "of the one who asks",
    ("secrets/accesses/views/accesses.py", "OperatorState.filter"): "of a cluster whose accesses may be seen",
    ("secrets/accesses/views/accesses.py", "Look.filter"): "says of the access's own store only",
    ("secrets/accesses/views/operator.py", "OperatorState.filter"): "of a cluster whose accesses may be seen",
    ("secrets/accesses/views/operator.py", "DeployStep.filter"): "the operator's own step",
    ("secrets/external_secrets/views/browse.py", "Access.select_related"): "one of those that are listed",
    ("secrets/external_secrets/views/linking.py", "ExternalSecret.filter"): "the link that is edited",
    ("secrets/external_secrets/views/namespace.py", "Access.filter"): "open to a namespace that may be seen",
    ("secrets/external_secrets/views/namespace.py", "Look.filter"): "asked for by the names of links that may be seen",
    ("secrets/external_secrets/views/service.py", "Look.filter"): "asked for by the names of links that may be seen",
    ("secrets/external_secrets/views/sync.py", "Look.filter"): "asked for by the name of one link that may be seen",
    ("secrets/external_secrets/views/secret.py", "InventoryEntry.filter"): "a name that was found to be inside",
    ("secrets/external_secrets/views/sync.py", "InventoryEntry.filter"): "only to find links that may be managed",
    ("secrets/external_secrets/views/writing.py", "InventoryEntry.filter"): "a name that was found to be inside",
    ("clusters/api.py", "ConnectDraft.create"): "of the one who asks",
    ("clusters/api_deploys.py", "Look.filter"): "of a cluster whose deploys may be seen",
    ("secrets/accesses/api_operator.py", "OperatorState.filter"): "of a cluster whose accesses may be seen",
    ("secrets/external_secrets/api/names.py", "Access.select_related"): "one of those that are listed",
    ("secrets/external_secrets/api/names.py", "InventoryEntry.filter"): "a name that was found to be inside",
}  # fmt: skip


def views(project: Path) -> list[Path]:
    found = [*project.glob("clusters/views/*.py"), *project.glob("secrets/*/views/*.py")]
    found += [
        *project.glob("credentials/views/*.py"),
        project / "config/palette.py",
        *project.glob("clusters/api*.py"),
        *(project / "clusters/rotations" / name for name in ("views.py", "api.py", "showing.py")),
    ]
    return [
        *found,
        *project.glob("secrets/*/api*.py"),
        *project.glob("secrets/*/api/*.py"),
        *project.glob("credentials/api*.py"),
    ]


def asked(text: str) -> list[tuple[str, bool]]:
    """Return what a module asks of which model first, and whether it says for whom somewhere in the same chain."""
    tree = ast.parse(text)
    above = {inner: outer for outer in ast.walk(tree) for inner in ast.iter_child_nodes(outer)}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "owned_by":
            found.append(("owned_by", False))
        is_manager = isinstance(node, ast.Attribute) and node.attr == "objects"
        if not (is_manager and isinstance(node.value, ast.Name) and node.value.id in SCOPED):
            continue
        chain, here = [], node
        while isinstance(above[here], ast.Attribute) or (
            isinstance(above[here], ast.Call) and above[here].func is here
        ):
            here = above[here]
            chain += [here.attr] if isinstance(here, ast.Attribute) else []
        found.append((f"{node.value.id}.{chain[0] if chain else ''}", bool(LIMITS & set(chain))))
    return found


def unlimited(path: Path) -> set[str]:
    return {what for what, is_limited in asked(path.read_text()) if not is_limited}


def test_every_view_says_for_whom_it_asks(project):
    found = {
        (path.relative_to(project).as_posix(), what) for path in views(project) for what in unlimited(path)
    }

    # Begin with .within(request.organization, request.authority, Permission.X), or write down here why not.
    assert found == set(ALLOWED)


def test_the_guard_sees_what_it_guards_against(tmp_path):
    view = tmp_path / "view.py"
    view.write_text(
        "a = Cluster.objects.owned_by(x)\nb = Access.objects.filter(pk=1)\nc = f(Service.objects)\n"
        "d = Deploy.objects.within(a, b, c).filter(x=1)\ne = Look.objects.filter(x=1).inside(a, b)\n"
    )

    assert unlimited(view) == {"owned_by", "Cluster.owned_by", "Access.filter", "Service."}
