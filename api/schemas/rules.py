"""The rules of a run, and those that are to take their place."""

from pydantic import BaseModel, Field

from api.schemas.shown import shown


class RulesInfo(BaseModel):
    """The rules in force."""

    model_config = shown(
        {
            "source": "national",
            "version": "4",
            "city": "national",
            "rules": ["gas.ch4_space", "water.pressure_drop"],
            "text": "extends: national\nversion: '4'\n",
        }
    )

    source: str = Field(description="name of the set or file")
    version: str
    city: str
    rules: list[str] = Field(description="ids of its rules")
    text: str = Field(description="the rule file itself (YAML)")


class NewRules(BaseModel):
    """A rule file to go on with."""

    model_config = shown(
        {
            "text": "extends: national\nversion: '4a'\n",
            "source": "tuned.yaml",
            "by": "li.wei",
            "id": "rules-4a",
        },
        is_body=True,
    )

    text: str = Field(min_length=1, description="the whole file, YAML or JSON")
    source: str = Field("request", min_length=1, max_length=200, description="what to call it")
    by: str = Field("operator", min_length=1, max_length=100, description="who does it")
    id: str | None = Field(None, pattern=r"^[A-Za-z0-9._:-]{1,100}$", description="made if left")


class RulesTaken(BaseModel):
    """A rule file that is well made: the next tick goes on with it; the log says so."""

    model_config = shown({"id": "rules-4a", "source": "tuned.yaml", "version": "4a"})

    id: str
    source: str
    version: str
