-- Topics: who follows what, and which events a topic gave to customers.

create table follower (
    topic text not null,
    customer text not null,
    until bigint not null,
    primary key (topic, customer)
);
create index follower_customer on follower (customer);

-- The event that was sent, where a topic gave this one to its customer.
alter table event add column origin text;
create index event_origin on event (origin);
