-- The record. Archive: what was committed, and the truth. Views: computed from the archive. Accounts: written directly.
-- Portable between SQLite and PostgreSQL: whole numbers are bigint, flags are 0 or 1, JSON is text.

-- Archive -------------------------------------------------------------------------------------------------------------

create table archive_line (
    part bigint not null,
    epoch bigint not null,
    n bigint not null,
    pos_ms bigint not null,
    pos_n bigint not null,
    actor text,
    lost bigint not null default 0,
    line text not null,
    input text,
    primary key (part, epoch, n)
);
create index archive_line_actor on archive_line (actor);

-- Lines that SQL refused for their content.
create table archive_refused (
    part bigint not null,
    epoch bigint not null,
    n bigint not null,
    pos_ms bigint not null,
    pos_n bigint not null,
    actor text,
    reason text not null,
    line text not null,
    input text,
    primary key (part, epoch, n)
);

create table archive_cursor (
    part bigint primary key,
    epoch bigint not null,
    n bigint not null,
    pos_ms bigint not null,
    pos_n bigint not null,
    gaps bigint not null,
    lost bigint not null,
    refused bigint not null
);

-- Views ---------------------------------------------------------------------------------------------------------------

create table event (
    id text primary key,
    part bigint not null,
    epoch bigint not null,
    n bigint not null,
    received_at bigint not null,
    sender_id text not null check (length(sender_id) <= 1024),
    source text not null check (length(source) <= 1024),
    kind text not null check (length(kind) <= 1024),
    happened_at bigint,
    customer text,
    trust text not null,
    status text not null
);
create index event_sender on event (sender_id);
create index event_received on event (received_at, id);
create index event_kind on event (kind, received_at);
create index event_customer on event (customer, received_at);

create table verdict (
    event text not null,
    playbook text not null,
    verdict text not null,
    conversation text,
    detail text not null,
    primary key (event, playbook)
);
create index verdict_count on verdict (playbook, verdict);

create table goal (
    event text not null,
    conversation text not null,
    value text,
    primary key (event, conversation)
);
create index goal_conversation on goal (conversation);

create table conversation (
    id text primary key,
    customer text not null,
    playbook text not null,
    listed bigint not null,
    state text not null,
    holder text not null,
    operator text,
    needs_since bigint,
    updated_at bigint not null,
    last_by text,
    last_text text,
    last_at bigint,
    summary text not null
);
create index conversation_customer on conversation (customer, updated_at);
create index conversation_state on conversation (state, updated_at);
create index conversation_holder on conversation (holder, state, updated_at);
create index conversation_needs on conversation (needs_since);
create index conversation_updated on conversation (updated_at, id);

create table entry (
    conversation text not null,
    n bigint not null,
    seq bigint not null,
    words text,
    entry text not null,
    primary key (conversation, n)
);

create table customer (
    id text primary key,
    name text,
    search text not null,
    traits text not null
);

-- Accounts ------------------------------------------------------------------------------------------------------------

create table operator_account (
    id text primary key,
    email text not null unique,
    name text not null,
    role text not null,
    team text,
    password text not null,
    created_at bigint not null
);

create table operator_session (
    token text primary key,
    operator text not null,
    csrf text not null,
    created_at bigint not null,
    expires_at bigint not null
);
create index operator_session_operator on operator_session (operator);

create table audit (
    id text primary key,
    at bigint not null,
    who text not null,
    act text not null,
    about text not null,
    address text not null
);
create index audit_at on audit (at, id);
