-- How operators judge conversations, and what they find them by.

-- Of the summary, for sorting and filtering: 0 low, 1 normal, 2 high, 3 urgent.
alter table conversation add column priority bigint not null default 1;

-- A view, like the conversation that it is a part of.
create table conversation_label (
    conversation text not null,
    label text not null,
    primary key (conversation, label)
);
create index conversation_label_label on conversation_label (label);
create index conversation_priority on conversation (priority) where priority <> 1;

-- Filters of the inbox that operators keep. Written directly, beside the accounts: no view, so a rebuild leaves it alone.
create table saved_filter (
    id text primary key,
    operator text not null,
    name text not null,
    query text not null,
    shared bigint not null,
    saved_at bigint not null
);
create index saved_filter_operator on saved_filter (operator);
