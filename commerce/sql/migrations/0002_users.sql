-- Who may log in to the Admin API.

create table commerce.admin_user (
    id text constraint admin_user_pkey primary key,
    email text not null
        constraint admin_user_email_lower_case check (email <> '' and email = lower(email)),
    first_name text,
    last_name text,
    metadata jsonb,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint admin_user_email_key unique (email)
);

create table commerce.auth_identity (
    id text constraint auth_identity_pkey primary key,
    user_id text not null
        constraint auth_identity_user_fkey references commerce.admin_user on delete cascade,
    provider text not null,
    password_hash text not null, -- Argon2id, with its parameters and salt
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint auth_identity_key unique (user_id, provider)
);
