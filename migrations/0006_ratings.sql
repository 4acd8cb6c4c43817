-- What the customer gave the conversation, 1 to 5. Of the summary, for filtering; of most conversations nobody says.
alter table conversation add column rating bigint;
create index conversation_rating on conversation (rating) where rating is not null;
