-- Whose a conversation is, of the summary, for filtering. The views that go on from few rows do not use the index.
alter table conversation add column team text;
create index conversation_team on conversation (team, state) where team is not null;
