"""To which queue each task goes."""

ROUTES = {
    "accounts.sign_in.tasks.mail_reset": {"queue": "default"},
    "accounts.sign_in.tasks.mail_notice": {"queue": "default"},
    "accounts.sign_in.tasks.write_failed": {"queue": "default"},
    "accounts.outgoing.tasks.deliver": {"queue": "default"},
    "credentials.tasks.check": {"queue": "default"},
    "clusters.tasks.run_deploys": {"queue": "deploys"},
    "clusters.tasks.look": {"queue": "default"},
    "clusters.tasks.renew_token": {"queue": "default"},
    "clusters.tasks.examine": {"queue": "default"},
    "clusters.tasks.make_key": {"queue": "default"},
    "external_secrets.tasks.read_again": {"queue": "default"},
    "external_secrets.tasks.restart_changed": {"queue": "default"},
    "external_secrets.tasks.read_inventory": {"queue": "default"},
    "external_secrets.tasks.refresh_inventory": {"queue": "default"},
}
