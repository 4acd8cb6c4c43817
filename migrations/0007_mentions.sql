-- Whom notes of operators name, until they are done with it. Written directly, like what is put off; the latest note counts.
create table mention (
    conversation text not null,
    operator text not null,
    mentioned_by text not null,
    mentioned_at bigint not null,
    primary key (conversation, operator)
);
create index mention_operator on mention (operator, mentioned_at);

-- Whose the open ones are: asked for every list that shows who needs a person.
create index conversation_operator on conversation (operator) where operator is not null and state <> 'closed';
