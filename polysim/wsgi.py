"""HTTP: pages and APIs run in threads behind this handler."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "polysim.settings")

application = get_wsgi_application()
