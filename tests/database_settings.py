"""What tells a service's process where its database is."""

from urllib.parse import urlsplit


def database_settings(url: str) -> dict[str, str]:
    """Give what says where the database is; a password never stands in its URL."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    plain = parts._replace(netloc=f"{parts.username}@{place}" if parts.username else place).geturl()
    return {"PLANSHIFT_DATABASE_URL": plain} | (
        {"PLANSHIFT_DATABASE_PASSWORD": parts.password} if parts.password else {}
    )
