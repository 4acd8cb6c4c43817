-- From schema 1: whose dead letters they are, as far as they say so.
begin immediate;
alter table dead add column actor text not null default 'partition:';
update dead set actor = coalesce(json_extract(cast(payload as text), '$.actor'), actor)
    where json_valid(cast(payload as text));
create index dead_by_actor on dead (partition, actor);
pragma user_version = 2;
commit;
