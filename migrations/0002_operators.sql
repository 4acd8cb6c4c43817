-- What operators write down for each other, and what the flow of events is counted by.

-- Written directly, beside the accounts: no view, so a rebuild leaves it alone.
create table saved_reply (
    id text primary key,
    name text not null,
    words text not null,
    saved_by text not null,
    saved_at bigint not null
);

-- Conversations that need nobody for a while. Written directly too; at most one row a conversation.
create table snoozed (
    conversation text primary key,
    until_at bigint not null,
    snoozed_by text not null,
    snoozed_at bigint not null
);

-- How it ended, and whether it was ever asked for or held by a person: both stood in the summary alone.
alter table conversation add column outcome text;
alter table conversation add column handed bigint not null default 0;
update conversation set
    outcome = case
        when summary like '%"outcome":{"kind":"goal"%' then 'goal'
        when summary like '%"outcome":{"kind":"resolved"%' then 'resolved'
        when summary like '%"outcome":{"kind":"abandoned"%' then 'abandoned'
        when summary like '%"outcome":{"kind":"expired"%' then 'expired'
        when summary like '%"outcome":{"kind":"closed_by_operator"%' then 'closed_by_operator'
        when summary like '%"outcome":{"kind":"failed"%' then 'failed'
    end,
    handed = case when summary like '%"holder_n":0,%' then 0 else 1 end;

create index verdict_conversation on verdict (conversation);

-- An anonymous id is a secret: whoever searches must not find it out letter by letter.
update customer set search = lower(substr(id, 1, 9)) || substr(search, length(id) + 1) where id like 'anon:%';
