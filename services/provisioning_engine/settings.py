"""What the engine needs to know to start."""

from pydantic import Field

from serving.settings import ServiceSettings


class EngineSettings(ServiceSettings):
    """Every field is PLANSHIFT_<NAME> in the environment."""

    fold_records: int = Field(default=6000, ge=1, le=100_000, description="records of the directory's largest fold")
    concurrency: int = Field(default=3, ge=1, le=32, description="steps that run at the same time")
    paced_by: list[str] = Field(
        default=["tracker", "wizard-provisioning"], description="readers whose lag the engine keeps small"
    )
    ahead_s: float = Field(default=0.5, gt=0, le=60, description="work of a reader that may be unread, in seconds")
    ahead_records: int = Field(default=12_000, ge=1, description="records that may be unread in any case")
