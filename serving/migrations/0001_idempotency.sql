-- Answers by idempotency key: a repeated POST gets the first one's answer and has no second effect.
CREATE TABLE idempotency (
    caller text NOT NULL,
    route text NOT NULL,
    key text NOT NULL,
    body_hash bytea NOT NULL,
    status smallint NOT NULL,
    headers jsonb NOT NULL,
    body bytea NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (caller, route, key)
);

CREATE INDEX idempotency_by_age ON idempotency (stored_at);
