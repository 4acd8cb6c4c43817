-- Whom notes of operators name, until they are done with it. Written directly, like what is put off; the latest note counts.
create table mention (
    conversation text not null,
    operator text not null,
    mentioned_by text not null,
    mentioned_at bigint not null,
    primary key (conversation, operator)
);
create index mention_operator on mention (operator, mentioned_at);
