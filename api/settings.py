"""Settings from the environment, read once."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What the environment may set; every variable begins with `TOCSIN_`."""

    model_config = SettingsConfigDict(env_prefix="TOCSIN_", extra="ignore")

    broker: str | None = Field(None, description="broker URL; left out: the embedded broker")
    nats_server: Path | None = Field(None, description="path of another nats-server binary")
    runs: Path = Field(Path("runs"), description="folder of recordings")
    api_token: str | None = Field(None, description="bearer token; needed off loopback")
    store: str | None = Field(None, description="database URL; left out: SQLite in the run folder")
