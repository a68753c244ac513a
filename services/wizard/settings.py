"""What the wizard needs to know to start."""

from pydantic import Field

from serving.settings import ServiceSettings

UPLOAD_LIMIT_BYTES = 32 << 20


class WizardSettings(ServiceSettings):
    """Every field is PLANSHIFT_<NAME> in the environment."""

    tracker_url: str = Field(
        default="",
        description="where people follow a request, put before /v1/requests/<id> in Location; empty: relative",
    )
    fold_records: int = Field(default=6000, ge=1, le=100_000, description="records of the view's largest transaction")
