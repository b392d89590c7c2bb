"""Examples that several fields share."""

BATCH_ID = {"example": "a1b2c3d4-e5f6-7890-abcd-ef1234567890"}
CAMPAIGN_ID = {"example": "c1d2e3f4-a5b6-7890-1234-567890abcdef"}
MOMENT = {"example": "2030-12-31T23:59:59Z"}
