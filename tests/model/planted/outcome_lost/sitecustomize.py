"""A b2bua that does not hear the outcome of a charge whose call has ended."""

import sys

if "b2bua.app" in sys.orig_argv:
    from b2bua.switchboard import Switchboard

    _news = Switchboard.on_media_news

    def on_media_news(self, news):
        line = self._lines.get(news.session)
        if line is None or line.call.ended_at is None:
            _news(self, news)

    Switchboard.on_media_news = on_media_news
