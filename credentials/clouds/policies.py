"""The least that the console's own identities need, as exact text to copy."""

import json

# What the console makes in an account begins with this, and it may change nothing else there.
PREFIX = "keyhaven-"


def for_google(project: str) -> str:
    """Return a custom role of a project, as `gcloud iam roles create --file` takes it."""
    return json.dumps(
        {
            "title": "Keyhaven",
            "description": f"Finds the clusters in {project}, makes and checks their service accounts.",
            "stage": "GA",
            "includedPermissions": [
                "container.clusters.get",
                "container.clusters.list",
                "iam.serviceAccounts.create",
                "iam.serviceAccounts.delete",
                "iam.serviceAccounts.get",
                "iam.serviceAccounts.getIamPolicy",
                "iam.serviceAccounts.setIamPolicy",
                "resourcemanager.projects.get",
                "resourcemanager.projects.getIamPolicy",
                "resourcemanager.projects.setIamPolicy",
            ],
        },
        indent=2,
    )
