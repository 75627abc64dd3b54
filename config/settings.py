"""Every setting, read from the environment by config/env.py. README.md lists the variables."""

from pathlib import Path
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.utils.csp import CSP

from config import env, queues
from config.paths import BASE_DIR

VERSION = "0.1.0"

# -- The console's own keys: no default, ever ------------------------------------------------------
SECRET_KEY = env.text("SECRET_KEY")
if len(SECRET_KEY) < 32:
    raise ImproperlyConfigured("SECRET_KEY is shorter than 32 characters.")
FIELD_ENCRYPTION_KEY = env.words("FIELD_ENCRYPTION_KEY", env.text("FIELD_ENCRYPTION_KEY"))
for key in FIELD_ENCRYPTION_KEY:
    try:
        Fernet(key)
    except ValueError as error:
        raise ImproperlyConfigured(
            "FIELD_ENCRYPTION_KEY: each key is 32 bytes in URL-safe base64, newest first."
        ) from error

# -- Where it is served ----------------------------------------------------------------------------
DEBUG = env.flag("DEBUG", default=False)
BASE_URL = env.url("BASE_URL", ("http", "https"), "http://localhost:8000").rstrip("/")
SERVED_OVER_TLS = BASE_URL.startswith("https://")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", f"{urlsplit(BASE_URL).hostname},localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = [BASE_URL]
TRUSTED_PROXIES = env.networks("TRUSTED_PROXIES")
STYLEGUIDE = env.flag("STYLEGUIDE", default=DEBUG)

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "accounts",
    "credentials",
    "clusters",
    "built_in",
    "accesses",
    "external_secrets",
]

MIDDLEWARE = [
    "config.middleware.trust_proxies",
    # What says how an answer is to be treated is outside of all that may answer.
    "config.middleware.no_store",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "config.middleware.small_bodies",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "config.middleware.audit_context",
    "accounts.sign_in.sessions.kept_within_limits",
    "accounts.single_sign_on.middleware.Confine",
    "config.api.gate.gate",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "config.context.shell",
            ],
            "libraries": {"ui": "config.ui_tags"},
            "builtins": ["config.ui_tags", "django.templatetags.static"],
        },
    },
]

# -- Engines ---------------------------------------------------------------------------------------
DATABASES = {
    "default": env.database("DATABASE_URL")
    | {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True, "ATOMIC_REQUESTS": False}
}
# Who owns the tables and migrates, where that is not the application's role: docs/audit.md.
OWNER_DATABASE = env.database("DATABASE_OWNER_URL") if env.text("DATABASE_OWNER_URL", "") else None
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = env.url("REDIS_URL", ("redis", "rediss", "unix"))
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "keyhaven",
    }
}

CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_timeout": 5, "socket_connect_timeout": 3, "max_retries": 2}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = queues.ROUTES

# -- People ----------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.sign_in.backend.Backend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "CommonPasswordValidator", "MinimumLengthValidator")
]
# Whether everybody who is signed in may make an organization; otherwise `manage.py create_organization` does.
ORGANIZATIONS_BY_ANYONE = env.flag("ORGANIZATIONS_BY_ANYONE", default=True)
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_ADAPTER = "accounts.sign_in.adapter.Adapter"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_FORMS = {
    "login": "accounts.sign_in.forms.SignInForm",
    "reset_password": "accounts.sign_in.forms.ResetForm",
    "reset_password_from_key": "accounts.sign_in.forms.NewPasswordForm",
}
ACCOUNT_USER_DISPLAY = str
# What accounts/sign_in/limits.py counts is not counted twice.
ACCOUNT_RATE_LIMITS = {"login": "", "login_failed": "", "reset_password": "", "reauthenticate": ""}
PASSWORD_RESET_TIMEOUT = 60 * 60
# How many passwords from browsers that are not known are looked at, all in all: each costs a third of a second.
SIGN_IN_HASHES_PER_MINUTE = env.number("SIGN_IN_HASHES_PER_MINUTE", default=60, least=6, most=6000)
MFA_ADAPTER = "accounts.sign_in.factors.Adapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_FORMS = {
    "authenticate": "accounts.sign_in.forms.CodeForm",
    "authenticate_webauthn": "accounts.sign_in.forms.PasskeyForm",
}
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_TOLERANCE = 1
MFA_RECOVERY_CODE_DIGITS = 10
MFA_WEBAUTHN_USER_VERIFICATION = "required"
MFA_ALLOW_UNVERIFIED_EMAIL = True
MAILERS = {"default": env.mailer("EMAIL_URL", "smtp://localhost:25")}
DEFAULT_FROM_EMAIL = env.text("EMAIL_FROM", "keyhaven@localhost")

# -- The API: requests a minute of a token and of an address, and attempts without a valid token ----
API_PER_TOKEN = env.number("API_PER_TOKEN", default=600, least=1, most=1_000_000)
API_PER_ADDRESS = env.number("API_PER_ADDRESS", default=3000, least=1, most=1_000_000)
API_FAILURES = env.number("API_FAILURES", default=30, least=1, most=1_000_000)

# -- Sessions, cookies, headers --------------------------------------------------------------------
SESSION_ENGINE = "accounts.sign_in.session_store"
SESSION_COOKIE_AGE = 12 * 60 * 60
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SERVED_OVER_TLS
COOKIE_PREFIX = "__Host-" if SERVED_OVER_TLS else ""
SESSION_COOKIE_NAME = f"{COOKIE_PREFIX}session"
CSRF_COOKIE_NAME = f"{COOKIE_PREFIX}csrf"
CSRF_COOKIE_HTTPONLY = True
SECURE_SSL_REDIRECT = SERVED_OVER_TLS
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60 if SERVED_OVER_TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SERVED_OVER_TLS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_KEYHAVEN_PROTO", "https")  # set by trust_proxies alone
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SECURE_CSP = {
    "default-src": [CSP.NONE],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF],
    "font-src": [CSP.SELF],
    "connect-src": [CSP.SELF],
    "form-action": [CSP.SELF],
    "base-uri": [CSP.NONE],
    "frame-ancestors": [CSP.NONE],
    "object-src": [CSP.NONE],
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
# Fields and a file, each of the above, and what frames them: more of a body is not even read.
LARGEST_BODY = 3 * DATA_UPLOAD_MAX_MEMORY_SIZE
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

# -- Static files, time, language ------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = Path(env.text("STATIC_ROOT", str(BASE_DIR / "staticfiles")))
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if not DEBUG
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
LANGUAGE_CODE = "en"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"

# -- The product -----------------------------------------------------------------------------------
FIELD_MANAGER = "keyhaven"
OPERATOR_NAMESPACE = env.text("OPERATOR_NAMESPACE", "external-secrets")
OPERATOR_CHART = env.text("OPERATOR_CHART", "oci://ghcr.io/external-secrets/charts/external-secrets")
OPERATOR_CHART_VERSION = env.text("OPERATOR_CHART_VERSION", "2.9.0")
OPERATOR_TIMEOUT = env.number("OPERATOR_TIMEOUT", default=180, least=5, most=3600)
CLUSTER_TIMEOUT = env.number("CLUSTER_TIMEOUT", default=10, least=1, most=120)
# A deploy asks again, so long and so often, what can pass: no answer, 429, 5xx.
CLUSTER_PATIENCE = env.number("CLUSTER_PATIENCE", default=30, least=0, most=600)
CLUSTER_RETRIES = env.number("CLUSTER_RETRIES", default=200, least=0, most=10_000)
LOOK_SECONDS = env.number("LOOK_SECONDS", default=240, least=10, most=86_400)
DEPLOY_DAYS = env.number("DEPLOY_DAYS", default=365, least=1, most=3650)
# Instead of Google's own addresses; for the sandbox.
GOOGLE_ENDPOINT_URL = env.url("GOOGLE_ENDPOINT_URL", ("http", "https"), "").rstrip("/")
AZURE_ENDPOINT_URL = env.url("AZURE_ENDPOINT_URL", ("http", "https"), "").rstrip("/")
DOPPLER_ENDPOINT_URL = env.url("DOPPLER_ENDPOINT_URL", ("http", "https"), "").rstrip("/")
SCALEWAY_ENDPOINT_URL = env.url("SCALEWAY_ENDPOINT_URL", ("http", "https"), "").rstrip("/")
# Who the console is at AWS, to assume the roles that organizations give it: an access key of its own, or whatever
# identity its machine or pod has (`default`). With neither, roles cannot be chosen, and the page says so.
CONSOLE_AWS_IDENTITY = env.text("CONSOLE_AWS_IDENTITY", "")
CONSOLE_AWS_ACCESS_KEY_ID = env.text("CONSOLE_AWS_ACCESS_KEY_ID", "")
CONSOLE_AWS_SECRET_ACCESS_KEY = env.text("CONSOLE_AWS_SECRET_ACCESS_KEY", "")
# How often, in seconds, a worker looks whether a cluster is well, and whether a credential still works.
HEALTH_SECONDS = env.number("HEALTH_SECONDS", default=120, least=10, most=86_400)
HEALTH_DAYS = env.number("HEALTH_DAYS", default=30, least=1, most=3650)
CREDENTIAL_SECONDS = env.number("CREDENTIAL_SECONDS", default=3600, least=60, most=86_400)
# Regions that a cloud opened after this version of the console.
EXTRA_REGIONS = env.words("EXTRA_REGIONS")
SYNC_TIMEOUT = env.number("SYNC_TIMEOUT", default=60, least=5, most=3600)
# The index of upstream names: docs/inventory.md.
INVENTORY = env.flag("INVENTORY", default=True)
INVENTORY_MAX = env.number("INVENTORY_MAX", default=250_000, least=100, most=5_000_000)
INVENTORY_EXPIRE = env.number("INVENTORY_EXPIRE", default=3600, least=60, most=30 * 86_400)
INVENTORY_REFRESH = env.number("INVENTORY_REFRESH", default=60, least=10, most=86_400)
INVENTORY_PAGES_PER_SECOND = env.number("INVENTORY_PAGES_PER_SECOND", default=20, least=1, most=10_000)
# Where organizations may have their audit log written to; empty is nowhere.
AUDIT_FILES_DIR = env.folder("AUDIT_FILES_DIR")
# The built-in store and the gateway: docs/built-in-store.md. Days that a deleted secret is kept, requests a minute of
# an access, and attempts a minute of an address that has no valid token.
BUILT_IN_DELETED_DAYS = env.number("BUILT_IN_DELETED_DAYS", default=30, least=1, most=3650)
GATEWAY_PER_ACCESS = env.number("GATEWAY_PER_ACCESS", default=600, least=1, most=1_000_000)
GATEWAY_FAILURES = env.number("GATEWAY_FAILURES", default=30, least=1, most=1_000_000)
LEASE_SECONDS = env.number("LEASE_SECONDS", default=30, least=5, most=600)

# What the audit log's digests are signed with; by default a key that is made of SECRET_KEY.
AUDIT_SIGNING_KEY = env.text("AUDIT_SIGNING_KEY", "")
if AUDIT_SIGNING_KEY and len(AUDIT_SIGNING_KEY) < 32:
    raise ImproperlyConfigured("AUDIT_SIGNING_KEY is shorter than 32 characters.")

# -- Logs: one line an event, no request body, no query of a form ------------------------------------
LOG_LEVEL = env.text("LOG_LEVEL", "INFO")
if LOG_LEVEL not in ("DEBUG", "INFO", "WARNING", "ERROR"):
    raise ImproperlyConfigured(f"LOG_LEVEL is {LOG_LEVEL!r}; write DEBUG, INFO, WARNING or ERROR.")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL if LOG_LEVEL != "DEBUG" else "INFO"},
    # botocore and the Kubernetes client print whole requests, credentials included, at DEBUG.
    "loggers": {
        name: {"level": "WARNING"} for name in ("botocore", "boto3", "kubernetes", "urllib3", "amqp")
    },
}
DEFAULT_EXCEPTION_REPORTER_FILTER = "config.errors.SealedReporterFilter"
