"""All settings. Every value that differs between installations comes from the environment.

`docs/configuration.md` lists them; a bad value stops the start with its name.
"""

from pathlib import Path

from polysim.environment import (
    cache_url,
    celery_url,
    database_from_url,
    env_bool,
    env_decimal,
    env_int,
    env_list,
    env_text,
)
from polysim.logs import configure_structured_logs

BASE_DIR = Path(__file__).resolve().parent.parent
VERSION = "1.0.0"

# --- Installation -------------------------------------------------------------------------------
DEBUG = env_bool("POLYSIM_DEBUG", False)
SECRET_KEY = env_text("POLYSIM_SECRET_KEY", "" if not DEBUG else "only-for-development" * 3)
STATE_DIR = Path(env_text("POLYSIM_STATE_DIR", str(BASE_DIR / ".polysim")))
PLATFORM_HOST = env_text("POLYSIM_PLATFORM_HOST", "localhost")
FIRM_HOST_SUFFIX = env_text("POLYSIM_FIRM_HOST_SUFFIX", "localhost")
BASE_URL = env_text("POLYSIM_BASE_URL", "http://localhost:8000")
IS_PRODUCTION = env_bool("POLYSIM_PRODUCTION", not DEBUG)
ALLOWED_HOSTS = env_list("POLYSIM_ALLOWED_HOSTS", ["localhost", "127.0.0.1", ".localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env_list("POLYSIM_TRUSTED_ORIGINS", [])
IS_HTTPS = env_bool("POLYSIM_HTTPS", BASE_URL.startswith("https://"))

# --- Applications -------------------------------------------------------------------------------
# daphne is no app here: it only replaces runserver, and would cost every process 20 MB.
SHARED_APPS = [
    "django_tenants",
    "tenants",
    "trading.markets",
    "wallets.billing",
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "django.contrib.sites",
    "allauth",
    "allauth.account",
    "rest_framework",
    "drf_spectacular",
    "django_celery_beat",
    "django_htmx",
]
TENANT_APPS = ["tenants.office", "wallets", "trading", "prop"]
INSTALLED_APPS = SHARED_APPS + TENANT_APPS

TENANT_MODEL = "tenants.Firm"
TENANT_DOMAIN_MODEL = "tenants.Domain"
TENANT_LIMIT_SET_CALLS = True
RETAIL_SCHEMA = "retail"
PUBLIC_SCHEMA_URLCONF = "polysim.urls"
ROOT_URLCONF = "polysim.urls"
FIRM_URLCONF = "polysim.urls_firm"

MIDDLEWARE = [
    "polysim.kernel.api.middleware.RequestIdMiddleware",
    "tenants.middleware.BuildingMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "polysim.kernel.security.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "polysim.kernel.api.middleware.ApiErrorMiddleware",
]
APPEND_SLASH = False

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
                "trading.views.context.shell",
                "prop.views.context.account_rules",
            ],
            "builtins": ["trading.templatetags.polysim"],
        },
    }
]
WSGI_APPLICATION = "polysim.wsgi.application"
ASGI_APPLICATION = "polysim.asgi.application"

# --- Database -----------------------------------------------------------------------------------
DATABASES = {
    "default": database_from_url(
        env_text("DATABASE_URL", "postgresql://polysim@localhost/polysim"),
        pool_min=env_int("POLYSIM_DB_POOL_MIN", 1),
        pool_max=env_int("POLYSIM_DB_POOL_MAX", 10),
        pool_timeout_s=env_int("POLYSIM_DB_POOL_TIMEOUT_S", 5),
    )
}
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOCK_WAIT_MS = env_int("POLYSIM_LOCK_WAIT_MS", 2000)

# --- Valkey -------------------------------------------------------------------------------------
REDIS_URL = env_text("REDIS_URL", "redis://localhost:6379")
REDIS_KEY_PREFIX = env_text("POLYSIM_REDIS_KEY_PREFIX", "polysim")
REDIS_TIMEOUT_S = 2
REDIS_MAX_CONNECTIONS = 64
REDIS_DATA_URL = cache_url(REDIS_URL, database=0)
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": cache_url(REDIS_URL, database=1),
        "KEY_FUNCTION": "django_tenants.cache.make_key",
        "REVERSE_KEY_FUNCTION": "django_tenants.cache.reverse_key",
        "KEY_PREFIX": REDIS_KEY_PREFIX,
    }
}
SESSION_ENGINE = "django.contrib.sessions.backends.db"

# --- Celery -------------------------------------------------------------------------------------
CELERY_BROKER_URL = celery_url(REDIS_URL, database=3)
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"global_keyprefix": f"{REDIS_KEY_PREFIX}:"}
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_SYNC_EVERY = 1
# Firms are spread over so many evaluators, each with a queue and a worker process of its own.
PROP_EVALUATOR_SHARDS = env_int("PROP_EVALUATOR_SHARDS", 1)
# Seconds between two full passes over all active phases.
PROP_EVALUATE_SECONDS = env_int("PROP_EVALUATE_SECONDS", 5)
_EVALUATOR_QUEUES = (
    ["evaluator"]
    if PROP_EVALUATOR_SHARDS == 1
    else [f"evaluator.{shard}" for shard in range(PROP_EVALUATOR_SHARDS)]
)
CELERY_TASK_ROUTES = {
    "tenants.tasks.send_login_link": {"queue": "mail"},
    "tenants.tasks.renew_login_link": {"queue": "mail"},
    "tenants.office.*": {"queue": "webhooks"},
    "trading.markets.*": {"queue": "feed"},
    "prop.tasks.*_jobs": {"queue": "jobs"},
    "prop.tasks.evaluate_accounts": {"queue": "jobs"},
    "prop.tasks.*_payouts": {"queue": "payouts"},
    "prop.tasks.mail_events": {"queue": "mail"},
    "prop.tasks.sweep_mails": {"queue": "mail"},
}
CELERY_BEAT_SCHEDULE = {
    "sweep-catalogue": {
        "task": "trading.markets.tasks.sweep_catalogue",
        "schedule": env_int("POLYMARKET_CATALOGUE_REFRESH_S", 60),
        "options": {"expires": 55},
    },
    "poll-resolutions": {
        "task": "trading.markets.tasks.poll_resolutions",
        "schedule": env_int("POLYMARKET_RESOLUTION_POLL_S", 30),
        "options": {"expires": 25},
    },
    "forget-old-tape": {
        "task": "trading.markets.tasks.forget_old_history",
        "schedule": 86_400,
        "options": {"expires": 3_600},
    },
    "settle-resolved-markets": {
        "task": "trading.tasks.settle_resolved_markets",
        "schedule": 15,
        "options": {"expires": 14},
    },
    "measure-firm-accounts": {
        "task": "trading.tasks.measure_firm_accounts",
        "schedule": 30,
        "options": {"expires": 29},
    },
    "run-test-clocks": {
        "task": "trading.tasks.run_test_clocks",
        "schedule": 5,
        "options": {"expires": 5},
    },
    "deliver-webhooks": {
        "task": "tenants.office.tasks.sweep_webhooks",
        "schedule": 3,
        "options": {"expires": 3},
    },
    "forget-old-events": {
        "task": "tenants.office.tasks.forget_old_events",
        "schedule": 3600,
        "options": {"expires": 3500},
    },
    "sweep-identities": {
        "task": "tenants.tasks.sweep_identities",
        "schedule": 3600,
        "options": {"expires": 3500},
    },
    "record-equity": {
        "task": "trading.tasks.record_equity_points",
        "schedule": 300,
        "options": {"expires": 290},
    },
    "mail-challenge-events": {
        "task": "prop.tasks.sweep_mails",
        "schedule": 60,
        "options": {"expires": 55},
    },
    "sweep-jobs": {
        "task": "prop.tasks.sweep_jobs",
        "schedule": 5,
        "options": {"expires": 5},
    },
    "evaluate-firm-accounts": {
        "task": "prop.tasks.evaluate_accounts",
        "schedule": PROP_EVALUATE_SECONDS,
        "options": {"expires": PROP_EVALUATE_SECONDS},
    },
    "sweep-payouts": {
        "task": "prop.tasks.sweep_payouts",
        "schedule": 5,
        "options": {"expires": 5},
    },
    "sweep-simulations": {
        "task": "prop.tasks.sweep_simulations",
        "schedule": 60,
        "options": {"expires": 55},
    },
    "resume-purchases": {
        "task": "prop.resume_purchases",
        "schedule": 30,
        "options": {"expires": 29},
    },
}
for _shard, _queue in enumerate(_EVALUATOR_QUEUES):
    # A message that comes late is worth nothing: the next one is there already.
    CELERY_BEAT_SCHEDULE[f"evaluate-changed-{_shard}"] = {
        "task": "prop.tasks.evaluate_changed",
        "schedule": 1,
        "args": (_shard,),
        "options": {"expires": 1, "queue": _queue},
    }
    CELERY_BEAT_SCHEDULE[f"evaluate-all-{_shard}"] = {
        "task": "prop.tasks.evaluate_all",
        "schedule": PROP_EVALUATE_SECONDS,
        "args": (_shard,),
        "options": {"expires": PROP_EVALUATE_SECONDS, "queue": _queue},
    }
CELERY_BEAT_SCHEDULE["watch-evaluator"] = {
    "task": "prop.tasks.watch_evaluator",
    "schedule": 15,
    "options": {"expires": 14},
}

# --- People -------------------------------------------------------------------------------------
AUTH_USER_MODEL = "tenants.User"
# The address is unique in any case of letters by a constraint, which the check does not know.
SILENCED_SYSTEM_CHECKS = ["auth.W004"]
SITE_ID = 1
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
ACCOUNT_EMAIL_MAX_LENGTH = 320
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_BY_CODE_ENABLED = True
# Nobody is signed in before the mailed code was typed: only so does signing up with a known
# address look like signing up with a new one.
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_FORMS = {"signup": "tenants.forms.SignupForm"}
ACCOUNT_RATE_LIMITS = {"login_failed": "10/m/ip,5/300s/key"}
ACCOUNT_ADAPTER = "wallets.signup.RetailAccountAdapter"
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/markets/"
LOGOUT_REDIRECT_URL = "/"
EMAIL_BACKEND = env_text(
    "POLYSIM_EMAIL_BACKEND", "django.core.mail.backends.filebased.EmailBackend"
)
EMAIL_FILE_PATH = STATE_DIR / "mail"
EMAIL_HOST = env_text("POLYSIM_EMAIL_HOST", "localhost")
EMAIL_PORT = env_int("POLYSIM_EMAIL_PORT", 25)
EMAIL_HOST_USER = env_text("POLYSIM_EMAIL_USER", "")
EMAIL_HOST_PASSWORD = env_text("POLYSIM_EMAIL_PASSWORD", "")
EMAIL_USE_TLS = env_bool("POLYSIM_EMAIL_TLS", False)
DEFAULT_FROM_EMAIL = env_text("POLYSIM_FROM_EMAIL", "Polysim <no-reply@polysim.localhost>")

# --- API ----------------------------------------------------------------------------------------
# The kernel reaches what stands right of it by name only (architecture, Imports go one way).
PLAN_TERMS_SELECTOR = "wallets.billing.selectors.get_plan_terms"
IDENTITY_VERSION_CHECK = "tenants.lookups.is_identity_version_current"
ERROR_PAGE_VIEW = "polysim.views.refusal"
# How many proxies of ours stand in front and append to X-Forwarded-For.
TRUSTED_PROXIES = env_int("POLYSIM_TRUSTED_PROXIES", 0)
ALLAUTH_TRUSTED_PROXY_COUNT = TRUSTED_PROXIES
REST_FRAMEWORK = {
    "COERCE_DECIMAL_TO_STRING": True,
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["polysim.kernel.api.parsers.DecimalJSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": ["tenants.api.authentication.RequestIdentity"],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "polysim.kernel.api.errors.handle_exception",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Polysim API",
    "VERSION": VERSION,
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/v1",
    "SERVE_URLCONF": "polysim.urls_schema",
    "COMPONENT_SPLIT_REQUEST": True,
    "COMPONENT_SPLIT_PATCH": False,
    "ENUM_NAME_OVERRIDES": {
        "HealthStatus": ["healthy", "unhealthy"],
        "FeedHealthStatus": ["healthy", "degraded"],
        "PlacedOrderStatus": ["FILLED", "PENDING", "CANCELLED"],
        "OrderStatus": ["PENDING", "FILLED", "CANCELLED", "EXPIRED"],
        "ShownWalletStatus": ["active", "closed", "archived"],
        "WalletStatus": "wallets.models.Wallet.Status",
        "SubscribedEventType": "tenants.office.api.webhook_rows.SUBSCRIBED_TYPES",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "polysim.kernel.api.schema.add_shared_components",
    ],
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 262_144
API_RESET_COOLDOWN_DAYS = env_int("API_RESET_COOLDOWN_DAYS", 0)
EXPORT_MAX_ROWS = env_int("EXPORT_MAX_ROWS", 50_000)

# --- Webhooks (partner-api B3) ------------------------------------------------------------------
# For tests and demonstrations: receivers on this machine, http too. Refused in production.
WEBHOOK_ALLOW_PRIVATE = env_bool("POLYSIM_WEBHOOK_ALLOW_PRIVATE", False)

# --- Trading ------------------------------------------------------------------------------------
TRADE_REQUIRE_BOOK_DEPTH = env_bool("TRADE_REQUIRE_BOOK_DEPTH", True)
TRADE_QUOTE_MAX_AGE_MS = env_int("TRADE_QUOTE_MAX_AGE_MS", 60_000)
TRADE_TAKER_WINDOW_SECONDS = env_int("TRADE_TAKER_WINDOW_SECONDS", 3)
TRADE_PRICE_BAND = env_decimal("TRADE_PRICE_BAND", "0.15")

# --- The venue (polymarket-feed 1) --------------------------------------------------------------
POLYMARKET_FEED_MODE = env_text("POLYMARKET_FEED_MODE", "live")
POLYMARKET_GAMMA_URL = env_text("POLYMARKET_GAMMA_URL", "https://gamma-api.polymarket.com")
POLYMARKET_CLOB_URL = env_text("POLYMARKET_CLOB_URL", "https://clob.polymarket.com")
POLYMARKET_DATA_URL = env_text("POLYMARKET_DATA_URL", "https://data-api.polymarket.com")
POLYMARKET_WS_MARKET_URL = env_text(
    "POLYMARKET_WS_MARKET_URL", "wss://ws-subscriptions-clob.polymarket.com/ws/market"
)
POLYMARKET_HTTP_TIMEOUT_S = env_int("POLYMARKET_HTTP_TIMEOUT_S", 10)
POLYMARKET_HTTP_MAX_RPS = env_int("POLYMARKET_HTTP_MAX_RPS", 20)
POLYMARKET_WS_ASSETS_PER_CONN = env_int("POLYMARKET_WS_ASSETS_PER_CONN", 200)
POLYMARKET_WS_MAX_CONNS = env_int("POLYMARKET_WS_MAX_CONNS", 8)
POLYMARKET_WS_PING_S = env_int("POLYMARKET_WS_PING_S", 10)
POLYMARKET_WS_PONG_STALE_S = env_int("POLYMARKET_WS_PONG_STALE_S", 30)
POLYMARKET_WS_DATA_STALE_S = env_int("POLYMARKET_WS_DATA_STALE_S", 60)
POLYMARKET_BOOK_VERIFY_S = env_int("POLYMARKET_BOOK_VERIFY_S", 120)
POLYMARKET_CATALOGUE_REFRESH_S = env_int("POLYMARKET_CATALOGUE_REFRESH_S", 60)
POLYMARKET_CATALOGUE_MARKETS = env_int("POLYMARKET_CATALOGUE_MARKETS", 2000)
POLYMARKET_SUBSCRIBE_TOP_MARKETS = env_int("POLYMARKET_SUBSCRIBE_TOP_MARKETS", 100)
POLYMARKET_RESOLUTION_POLL_S = env_int("POLYMARKET_RESOLUTION_POLL_S", 30)
POLYMARKET_REPLAY_DIR = env_text(
    "POLYMARKET_REPLAY_DIR", str(BASE_DIR.parent / "shared" / "data" / "polymarket")
)
POLYMARKET_REPLAY_SPEED = env_decimal("POLYMARKET_REPLAY_SPEED", "1.0")

# --- Static files, language, logs ---------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = STATE_DIR / "static"
NODE_PACKAGES_DIR = BASE_DIR / "node_modules"
STATICFILES_DIRS: list[object] = [BASE_DIR / "static"]
_CHARTS = NODE_PACKAGES_DIR / "lightweight-charts" / "dist"
if _CHARTS.is_dir():
    STATICFILES_DIRS.append(("lightweight-charts", _CHARTS))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": env_text(
            "POLYSIM_STATIC_STORAGE", "whitenoise.storage.CompressedManifestStaticFilesStorage"
        )
    },
}
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"},
    },
    "filters": {
        "hide_link_tokens": {"()": "polysim.logs.HideLinkTokens"},
        "calm_refusals": {"()": "polysim.logs.CalmRefusals"},
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["hide_link_tokens", "calm_refusals"],
        }
    },
    "root": {"handlers": ["stderr"], "level": env_text("POLYSIM_LOG_LEVEL", "INFO")},
    "loggers": {
        "httpx": {"level": "WARNING"},
        "httpcore": {"level": "WARNING"},
        "websockets": {"level": "WARNING"},
        # A line for every message of the schedule: several a second.
        "celery.beat": {"level": "WARNING"},
    },
}
configure_structured_logs()

# --- Security -----------------------------------------------------------------------------------
SECURE_SSL_REDIRECT = IS_HTTPS and env_bool("POLYSIM_SSL_REDIRECT", True)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if IS_HTTPS else None
SECURE_HSTS_SECONDS = env_int("POLYSIM_HSTS_S", 31_536_000) if IS_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = IS_HTTPS
SECURE_HSTS_PRELOAD = IS_HTTPS
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 14 * 24 * 3600
CSRF_FAILURE_VIEW = "polysim.views.csrf_failure"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"

# Tasks of every process go to the broker above: without the application Celery takes its own
# default, a server that is not there.
from polysim.celery import app as celery_app  # noqa: E402, F401
