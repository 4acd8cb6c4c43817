-- Files that customers send. Written directly, beside the accounts: no view, so a rebuild leaves them alone. Their bytes are
-- here, and not in the store, the log or the archive, because they are erased with the customer and backed up with the rest.

create table attachment (
    id text primary key,
    customer text not null,
    name text not null,
    kind text not null,
    size bigint not null,
    width bigint,
    height bigint,
    kept_at bigint not null,
    -- The client's own id of the message that names it: a file is used by one message.
    claim text,
    claimed_at bigint,
    -- Set once the archive has that message.
    conversation text
);
create index attachment_customer on attachment (customer, claim, size);
create index attachment_loose on attachment (kept_at) where conversation is null;
create index attachment_conversation on attachment (conversation);

-- In pieces, so that whoever sends them on never holds more than one.
create table attachment_piece (
    attachment text not null,
    n bigint not null,
    bytes bytea not null,
    primary key (attachment, n)
);
