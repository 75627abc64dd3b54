"""The least that the console's identity needs at Google, as exact text to copy."""

import json

# What finding clusters and signing in to them needs, and what making service accounts for accesses needs besides.
LOOKING = ("container.clusters.get", "container.clusters.list", "resourcemanager.projects.get")
AUTOMATIC = (
    "iam.serviceAccounts.create",
    "iam.serviceAccounts.delete",
    "iam.serviceAccounts.get",
    "iam.serviceAccounts.getIamPolicy",
    "iam.serviceAccounts.setIamPolicy",
    "resourcemanager.projects.getIamPolicy",
    "resourcemanager.projects.setIamPolicy",
)


def role(project: str) -> str:
    """Return a custom role of a project, as `gcloud iam roles create --file` takes it."""
    return json.dumps(
        {
            "title": "Keyhaven",
            "description": f"Finds the clusters in {project}, makes and checks their service accounts.",
            "stage": "GA",
            "includedPermissions": sorted(LOOKING + AUTOMATIC),
        },
        indent=2,
    )
