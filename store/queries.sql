-- Both engines run these queries. Package db is generated from them.

-- name: Customer :one
SELECT * FROM customers WHERE id = @id;

-- name: CustomersNamed :many
SELECT * FROM customers WHERE id = @name OR lower(name) = lower(@name) ORDER BY name, id;

-- name: Customers :many
SELECT * FROM customers ORDER BY lower(name), id;

-- name: InsertCustomer :exec
INSERT INTO customers (id, name, note, created_at, archived_at, version)
VALUES (@id, @name, @note, @created_at, @archived_at, 1);

-- name: UpdateCustomer :execrows
UPDATE customers SET name = @name, note = @note, archived_at = @archived_at, version = version + 1
WHERE id = @id AND version = @version;

-- name: Target :one
SELECT * FROM targets WHERE id = @id;

-- name: Targets :many
SELECT * FROM targets ORDER BY lower(name), id;

-- name: TargetsOf :many
SELECT * FROM targets WHERE customer = @customer ORDER BY lower(name), id;

-- name: InsertTarget :exec
INSERT INTO targets (id, customer, kind, name, policy, admin_policy, settings, created_at, disabled_at, checked_at, findings, version)
VALUES (@id, @customer, @kind, @name, @policy, @admin_policy, @settings, @created_at, @disabled_at, @checked_at, @findings, 1);

-- name: UpdateTarget :execrows
UPDATE targets
SET name = @name, policy = @policy, admin_policy = @admin_policy, settings = @settings, disabled_at = @disabled_at,
    checked_at = @checked_at, findings = @findings, version = version + 1
WHERE id = @id AND version = @version;

-- name: TargetSecrets :many
SELECT name, sealed FROM target_secrets WHERE target = @target;

-- name: PutTargetSecret :exec
INSERT INTO target_secrets (target, name, sealed) VALUES (@target, @name, @sealed)
ON CONFLICT (target, name) DO UPDATE SET sealed = excluded.sealed;

-- name: DropTargetSecret :exec
DELETE FROM target_secrets WHERE target = @target AND name = @name;

-- name: Person :one
SELECT * FROM people WHERE id = @id;

-- name: PersonByLogin :one
SELECT * FROM people WHERE login_key = @login_key;

-- name: People :many
SELECT * FROM people ORDER BY lower(name), id;

-- name: InsertPerson :exec
INSERT INTO people (id, login, login_key, name, roles, customers, all_customers, time_zone, created_at, disabled_at, version)
VALUES (@id, @login, @login_key, @name, @roles, @customers, @all_customers, @time_zone, @created_at, @disabled_at, 1);

-- name: UpdatePerson :execrows
UPDATE people
SET login = @login, login_key = @login_key, name = @name, roles = @roles, customers = @customers,
    all_customers = @all_customers, time_zone = @time_zone, disabled_at = @disabled_at, version = version + 1
WHERE id = @id AND version = @version;

-- name: Policy :one
SELECT * FROM policies WHERE name = @name ORDER BY version DESC LIMIT 1;

-- name: Policies :many
SELECT p.* FROM policies p
WHERE p.version = (SELECT max(o.version) FROM policies o WHERE o.name = p.name)
ORDER BY p.name;

-- name: InsertPolicy :exec
INSERT INTO policies (name, version, title, default_duration, max_duration, start_within, min_reason, needs_approval, password, end_orphans, changed_at, changed_by, rules)
VALUES (@name, @version, @title, @default_duration, @max_duration, @start_within, @min_reason, @needs_approval, @password, @end_orphans, @changed_at, @changed_by, @rules);

-- name: Setting :one
SELECT value FROM settings WHERE name = @name;

-- name: PutSetting :exec
INSERT INTO settings (name, value) VALUES (@name, @value)
ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: Account :one
SELECT * FROM accounts WHERE id = @id;

-- OpenAccountsOf lists the accounts of a target that have a grant that was approved and has not ended.
-- name: OpenAccountsOf :many
SELECT a.* FROM accounts a
WHERE a.target = @target AND EXISTS (SELECT 1 FROM grants g WHERE g.account = a.id AND g.ended_at = 0 AND g.approved_at > 0)
ORDER BY a.id;

-- NextOpenAccounts lists accounts with a grant that has not ended, a part at a time.
-- name: NextOpenAccounts :many
SELECT DISTINCT account FROM grants WHERE ended_at = 0 AND account > @after ORDER BY account LIMIT @part;

-- UpsertAccount keeps an account that is there already.
-- name: UpsertAccount :one
INSERT INTO accounts (id, customer, target, holds_key, holder, holder_login, holder_name, next_at)
VALUES (@id, @customer, @target, @holds_key, @holder, @holder_login, @holder_name, 0)
ON CONFLICT (target, holds_key) DO UPDATE SET version = accounts.version
RETURNING id;

-- name: Grant :one
SELECT * FROM grants WHERE id = @id;

-- name: OpenGrants :many
SELECT * FROM grants WHERE account = @account AND ended_at = 0 ORDER BY submitted_at, id;

-- name: InsertGrant :exec
INSERT INTO grants (id, requester, customer, target, entitlement, ticket_system, ticket_id, ticket_number, ticket_title,
    reason, duration, policy, policy_version, account, patience, submitted_at,
    approved_at, approved_by, start_by, extension, stopped_at, stopped_by, stop_cause, stop_reason,
    verified_at, lost_at, removing_at, overdue_at, ended_at, continued_by, findings, version)
VALUES (@id, @requester, @customer, @target, @entitlement, @ticket_system, @ticket_id, @ticket_number, @ticket_title,
    @reason, @duration, @policy, @policy_version, @account, @patience, @submitted_at,
    @approved_at, @approved_by, @start_by, @extension, @stopped_at, @stopped_by, @stop_cause, @stop_reason,
    @verified_at, @lost_at, @removing_at, @overdue_at, @ended_at, @continued_by, @findings, 1);

-- UpdateGrant changes nothing if somebody else updated the grant first.
-- name: UpdateGrant :execrows
UPDATE grants
SET approved_at = @approved_at, approved_by = @approved_by, start_by = @start_by, extension = @extension,
    stopped_at = @stopped_at, stopped_by = @stopped_by, stop_cause = @stop_cause, stop_reason = @stop_reason,
    verified_at = @verified_at, lost_at = @lost_at, removing_at = @removing_at, overdue_at = @overdue_at,
    ended_at = @ended_at, continued_by = @continued_by, blocked = @blocked, findings = @findings, version = version + 1
WHERE id = @id AND version = @version;

-- name: Credential :one
SELECT * FROM credentials WHERE account = @account;

-- PutCredential makes c the next credential of its account.
-- name: PutCredential :one
INSERT INTO credentials (account, seq, place, sealed, recipient, retain, created_at, set_at, revealed_at)
VALUES (@account, 1, @place, @sealed, @recipient, @retain, @created_at, 0, @revealed_at)
ON CONFLICT (account) DO UPDATE
SET seq = credentials.seq + 1, place = excluded.place, sealed = excluded.sealed, recipient = excluded.recipient,
    retain = excluded.retain, created_at = excluded.created_at, set_at = 0, revealed_at = excluded.revealed_at
RETURNING seq;

-- name: SetCredential :execrows
UPDATE credentials SET set_at = @set_at WHERE account = @account AND seq = @seq AND set_at = 0;

-- name: DropCredentials :execrows
UPDATE credentials SET sealed = NULL, recipient = '' WHERE account = @account AND seq <= @seq;

-- TakeCredential marks a credential as shown, and erases it unless it is kept.
-- name: TakeCredential :execrows
UPDATE credentials
SET revealed_at = CASE WHEN revealed_at = 0 THEN CAST(@revealed_at AS BIGINT) ELSE revealed_at END,
    sealed = CASE WHEN retain THEN sealed ELSE NULL END
WHERE account = @account AND seq = @seq AND sealed IS NOT NULL;

-- name: PutOffer :exec
INSERT INTO offers (id, person, customer, sealed, expires_at) VALUES (@id, @person, @customer, @sealed, @expires_at);

-- name: TakeOffer :one
DELETE FROM offers WHERE id = @id AND person = @person AND customer = @customer AND expires_at > @now RETURNING sealed;

-- name: DropOffers :exec
DELETE FROM offers WHERE expires_at <= @now;

-- InsertWork leaves alone what has the same key already.
-- name: InsertWork :execrows
INSERT INTO work (id, kind, work_key, group_name, lane, place, grant_id, payload, created_at, next_at)
VALUES (@id, @kind, @work_key, @group_name, @lane, @place, @grant_id, @payload, @created_at, @next_at)
ON CONFLICT (work_key) DO NOTHING;

-- name: Work :one
SELECT * FROM work WHERE id = @id;

-- name: WorkOf :many
SELECT * FROM work WHERE grant_id = @grant_id ORDER BY place, id;

-- name: TriedWork :execrows
UPDATE work SET tried_at = @tried_at, version = version + 1
WHERE id = @id AND lease_owner = @lease_owner AND lease_epoch = @lease_epoch;

-- FinishWork ends the schedule of a row.
-- name: FinishWork :execrows
UPDATE work
SET done_at = @done_at, parked_at = @parked_at, result = @result, version = version + 1,
    next_at = 0, woken_at = 0, lease_owner = '', attempts = 0, last_error = ''
WHERE id = @id AND lease_owner = @lease_owner AND lease_epoch = @lease_epoch;

-- RewriteWork changes what a row that is held is to do.
-- name: RewriteWork :execrows
UPDATE work SET payload = @payload, version = version + 1
WHERE id = @id AND lease_owner = @lease_owner AND lease_epoch = @lease_epoch;

-- JoinWork says that another row does what a parked one did not.
-- name: JoinWork :execrows
UPDATE work SET done_at = @done_at, parked_at = 0, result = @result, version = version + 1
WHERE id = @id AND version = @version AND parked_at > 0 AND done_at = 0;

-- RetryWork starts a parked row again.
-- name: RetryWork :execrows
UPDATE work SET parked_at = 0, result = '', next_at = @next_at, attempts = 0, version = version + 1
WHERE id = @id AND parked_at > 0 AND done_at = 0;

-- name: DeskTicket :one
SELECT * FROM desk_tickets WHERE id = @id;

-- name: DeskTickets :many
SELECT * FROM desk_tickets
WHERE (CAST(@customer AS TEXT) = '' OR customer = @customer) AND (closed_at = 0 OR CAST(@closed AS BOOLEAN))
ORDER BY number DESC;

-- name: InsertDeskTicket :one
INSERT INTO desk_tickets (id, number, customer, title, opened_by, opened_at, closed_at, updated_at, version)
SELECT CAST(@id AS TEXT), COALESCE(max(number), 1000) + 1, CAST(@customer AS TEXT), CAST(@title AS TEXT), CAST(@opened_by AS TEXT),
    CAST(@opened_at AS BIGINT), CAST(@closed_at AS BIGINT), CAST(@updated_at AS BIGINT), 1
FROM desk_tickets
RETURNING number;

-- name: UpdateDeskTicket :execrows
UPDATE desk_tickets SET title = @title, closed_at = @closed_at, updated_at = @updated_at, version = version + 1
WHERE id = @id AND version = @version;

-- name: TouchDeskTicket :execrows
UPDATE desk_tickets SET updated_at = @updated_at WHERE id = @id;

-- name: DeskNotes :many
SELECT * FROM desk_notes WHERE ticket = @ticket ORDER BY at, id;

-- name: DeskNotesByKey :many
SELECT * FROM desk_notes WHERE ticket = @ticket AND note_key = @note_key ORDER BY at, id;

-- name: InsertDeskNote :execrows
INSERT INTO desk_notes (id, ticket, note_key, subject, body, at) VALUES (@id, @ticket, @note_key, @subject, @body, @at)
ON CONFLICT (ticket, note_key) DO NOTHING;

-- ClaimedAccounts, ClaimedGrants and ClaimedCredentials load what one claim leased.
-- name: ClaimedAccounts :many
SELECT * FROM accounts WHERE lease_owner = @lease_owner AND claim = @claim AND lease_owner <> '';

-- name: ClaimedGrants :many
SELECT g.* FROM accounts a JOIN grants g ON g.account = a.id AND g.ended_at = 0
WHERE a.lease_owner = @lease_owner AND a.claim = @claim AND a.lease_owner <> ''
ORDER BY g.account, g.submitted_at, g.id;

-- name: ClaimedCredentials :many
SELECT c.* FROM accounts a JOIN credentials c ON c.account = a.id
WHERE a.lease_owner = @lease_owner AND a.claim = @claim AND a.lease_owner <> '';

-- name: ClaimedWork :many
SELECT * FROM work WHERE lease_owner = @lease_owner AND claim = @claim AND lease_owner <> '';

-- RecordAccount stores what a look learned, while its lease holds.
-- name: RecordAccount :execrows
UPDATE accounts
SET username = @username, object_id = @object_id, tried_at = @tried_at, seen = @seen, baseline = @baseline, trouble = @trouble, version = version + 1
WHERE id = @id AND lease_owner = @lease_owner AND lease_epoch = @lease_epoch;

-- FinishAccount is RecordAccount that also gives the account back, due not
-- before earliest.
-- name: FinishAccount :execrows
UPDATE accounts
SET username = @username, object_id = @object_id, tried_at = @tried_at, seen = @seen, baseline = @baseline, trouble = @trouble, version = version + 1,
    next_at = CASE WHEN woken_at > 0 AND woken_at > CAST(@earliest AS BIGINT) THEN woken_at
        WHEN woken_at > 0 OR CAST(@again AS BIGINT) > 0 AND CAST(@again AS BIGINT) < CAST(@earliest AS BIGINT) THEN CAST(@earliest AS BIGINT)
        ELSE CAST(@again AS BIGINT) END,
    woken_at = 0, lease_owner = '', attempts = 0, last_error = ''
WHERE id = @id AND lease_owner = @lease_owner AND lease_epoch = @lease_epoch;

-- name: DataKey :one
SELECT * FROM data_keys WHERE id = @id;

-- name: CustomerKey :one
SELECT * FROM data_keys WHERE customer = @customer;

-- name: InsertDataKey :execrows
INSERT INTO data_keys (id, customer, wrapped_by, wrapped, created_at) VALUES (@id, @customer, @wrapped_by, @wrapped, @created_at)
ON CONFLICT (customer) DO NOTHING;

-- name: DataKeysWrappedByOther :many
SELECT * FROM data_keys WHERE wrapped_by <> @wrapped_by ORDER BY id;

-- name: RewrapDataKey :execrows
UPDATE data_keys SET wrapped_by = @wrapped_by, wrapped = @wrapped WHERE id = @id AND wrapped_by = @was;

-- name: InsertRecord :exec
INSERT INTO audit_records (id, at, kind, actor, customer, grant_id, subject, text, data, salt, personal, erased, seq)
VALUES (@id, @at, @kind, @actor, @customer, @grant_id, @subject, @text, @data, @salt, @personal, FALSE, -1);

-- name: Timeline :many
SELECT * FROM audit_records WHERE grant_id = @grant_id AND grant_id <> '' ORDER BY id;

-- name: SealedRecords :many
SELECT * FROM audit_records WHERE seq >= @from_seq AND seq >= 0 ORDER BY seq LIMIT @part;

-- name: UnsealedRecords :many
SELECT * FROM audit_records WHERE seq < 0 ORDER BY id LIMIT @part;

-- name: CountUnsealed :one
SELECT count(*) FROM audit_records WHERE seq < 0;

-- name: OldestUnsealed :one
SELECT at FROM audit_records WHERE seq < 0 ORDER BY id LIMIT 1;

-- name: LastSeq :one
SELECT seq FROM audit_records WHERE seq >= 0 ORDER BY seq DESC LIMIT 1;

-- name: Chunk :one
SELECT hashes FROM audit_chunks WHERE n = @n;

-- name: PutChunk :exec
INSERT INTO audit_chunks (n, hashes) VALUES (@n, @hashes)
ON CONFLICT (n) DO UPDATE SET hashes = excluded.hashes;

-- name: PasswordByLogin :one
SELECT p.hash FROM passwords p JOIN people o ON o.id = p.person WHERE o.login_key = @login_key;

-- name: PutPassword :exec
INSERT INTO passwords (person, hash) VALUES (@person, @hash)
ON CONFLICT (person) DO UPDATE SET hash = excluded.hash;

-- name: Identity :one
SELECT * FROM identities WHERE issuer = @issuer AND subject = @subject;

-- name: IdentitiesOf :many
SELECT * FROM identities WHERE person = @person ORDER BY issuer;

-- name: InsertIdentity :exec
INSERT INTO identities (issuer, subject, person, name, linked_at) VALUES (@issuer, @subject, @person, @name, @linked_at);

-- name: DropIdentities :execrows
DELETE FROM identities WHERE person = @person;

-- name: CountPeople :one
SELECT count(*) FROM people;

-- name: Session :one
SELECT * FROM sessions WHERE session_key = @session_key;

-- name: SessionsOf :many
SELECT * FROM sessions WHERE person = @person ORDER BY seen_at DESC, session_key;

-- name: InsertSession :exec
INSERT INTO sessions (session_key, person, data, address, browser, begun_at, seen_at, expires_at)
VALUES (@session_key, @person, @data, @address, @browser, @begun_at, @seen_at, @expires_at);

-- name: KeepSession :exec
UPDATE sessions SET data = @data, seen_at = @seen_at, expires_at = @expires_at WHERE session_key = @session_key;

-- name: EndSession :exec
DELETE FROM sessions WHERE session_key = @session_key;

-- name: EndOtherSessions :exec
DELETE FROM sessions WHERE person = @person AND session_key <> @keep;

-- name: DropSessions :exec
DELETE FROM sessions WHERE expires_at <= @now;

-- EnsureWork makes due what has the same key already, done or not.
-- name: EnsureWork :exec
INSERT INTO work (id, kind, work_key, group_name, lane, place, grant_id, payload, created_at, next_at)
VALUES (@id, @kind, @work_key, @group_name, @lane, @place, @grant_id, @payload, @created_at, @next_at)
ON CONFLICT (work_key) DO UPDATE SET done_at = 0, parked_at = 0,
    woken_at = CASE WHEN work.lease_owner <> '' THEN excluded.next_at ELSE 0 END,
    next_at = CASE WHEN work.lease_owner = '' AND (work.next_at = 0 OR work.next_at > excluded.next_at) THEN excluded.next_at ELSE work.next_at END;

-- name: Connection :one
SELECT * FROM connections WHERE id = @id;

-- name: Connections :many
SELECT * FROM connections ORDER BY lower(name), id;

-- name: InsertConnection :exec
INSERT INTO connections (id, kind, name, settings, created_at, disabled_at, checked_at, findings, version)
VALUES (@id, @kind, @name, @settings, @created_at, @disabled_at, @checked_at, @findings, 1);

-- name: UpdateConnection :execrows
UPDATE connections
SET name = @name, settings = @settings, disabled_at = @disabled_at, checked_at = @checked_at, findings = @findings, version = version + 1
WHERE id = @id AND version = @version;

-- name: ConnectionSecrets :many
SELECT name, sealed FROM connection_secrets WHERE connection = @connection;

-- name: PutConnectionSecret :exec
INSERT INTO connection_secrets (connection, name, sealed) VALUES (@connection, @name, @sealed)
ON CONFLICT (connection, name) DO UPDATE SET sealed = excluded.sealed;

-- name: DropConnectionSecret :exec
DELETE FROM connection_secrets WHERE connection = @connection AND name = @name;

-- name: Companies :many
SELECT * FROM companies WHERE connection = @connection ORDER BY lower(name), company;

-- PutCompany keeps the name that a company had before as was.
-- name: PutCompany :exec
INSERT INTO companies (connection, company, name, was, seen_at, gone_at)
VALUES (@connection, @company, @name, '', @seen_at, 0)
ON CONFLICT (connection, company) DO UPDATE
SET was = CASE WHEN companies.name <> excluded.name THEN companies.name ELSE companies.was END,
    name = excluded.name, seen_at = excluded.seen_at, gone_at = 0;

-- MissCompanies marks those that the last answer did not hold.
-- name: MissCompanies :exec
UPDATE companies SET gone_at = @gone_at WHERE connection = @connection AND seen_at < @seen_at AND gone_at = 0;

-- name: Mapping :one
SELECT * FROM mappings WHERE connection = @connection AND customer = @customer;

-- name: MappingsOf :many
SELECT * FROM mappings WHERE connection = @connection ORDER BY customer;

-- name: PutMapping :exec
INSERT INTO mappings (connection, customer, company, name, mapped_at) VALUES (@connection, @customer, @company, @name, @mapped_at)
ON CONFLICT (connection, customer) DO UPDATE SET company = excluded.company, name = excluded.name, mapped_at = excluded.mapped_at;

-- name: DropMapping :exec
DELETE FROM mappings WHERE connection = @connection AND customer = @customer;

-- name: DropMappings :exec
DELETE FROM mappings WHERE connection = @connection;

-- name: CustomerDesk :one
SELECT connection FROM customer_desks WHERE customer = @customer;

-- name: CustomerDesks :many
SELECT * FROM customer_desks;

-- name: PutCustomerDesk :exec
INSERT INTO customer_desks (customer, connection) VALUES (@customer, @connection)
ON CONFLICT (customer) DO UPDATE SET connection = excluded.connection;

-- name: DropCustomerDesk :exec
DELETE FROM customer_desks WHERE customer = @customer;

-- Sessions that were issued from grants.

-- name: InsertIssued :exec
INSERT INTO issued (id, grant_id, account, customer, target, entitlement, person, made_for, via, token, application, machine, address, name, key_id, issued_at, ends_at, expires_at)
VALUES (@id, @grant_id, @account, @customer, @target, @entitlement, @person, @made_for, @via, @token, @application, @machine, @address, @name, @key_id, @issued_at, @ends_at, @expires_at);

-- TouchGrant makes every change of the grant that was decided before this one fail.
-- name: TouchGrant :execrows
UPDATE grants SET version = version + 1
WHERE id = @id AND stopped_at = 0 AND ended_at = 0 AND approved_at > 0;

-- name: IssuedOf :many
SELECT entitlement, count(*) AS sessions, CAST(max(ends_at) AS BIGINT) AS ends_at, CAST(max(expires_at) AS BIGINT) AS expires_at
FROM issued WHERE account = @account GROUP BY entitlement ORDER BY entitlement;

-- name: ClaimedIssued :many
SELECT i.account, i.entitlement, count(*) AS sessions, CAST(max(i.ends_at) AS BIGINT) AS ends_at, CAST(max(i.expires_at) AS BIGINT) AS expires_at
FROM accounts a JOIN issued i ON i.account = a.id
WHERE a.lease_owner = @lease_owner AND a.claim = @claim AND a.lease_owner <> ''
GROUP BY i.account, i.entitlement ORDER BY i.account, i.entitlement;

-- name: SessionsFrom :many
SELECT * FROM issued WHERE grant_id = @grant_id ORDER BY issued_at DESC, id LIMIT 500;

-- name: SessionsBy :many
SELECT * FROM issued WHERE person = @person AND issued_at >= @since ORDER BY issued_at DESC, id LIMIT 500;

-- name: SessionLimits :many
SELECT * FROM session_limits ORDER BY setting, place;

-- name: PutSessionLimit :exec
INSERT INTO session_limits (setting, place, length, set_by, set_at) VALUES (@setting, @place, @length, @set_by, @set_at)
ON CONFLICT (setting, place) DO UPDATE SET length = excluded.length, set_by = excluded.set_by, set_at = excluded.set_at;

-- name: DropSessionLimit :execrows
DELETE FROM session_limits WHERE setting = @setting AND place = @place;

-- Tokens of programs, and command lines that ask to sign in.

-- name: TokenByHash :one
SELECT * FROM tokens WHERE hash = @hash;

-- name: TokensOf :many
SELECT * FROM tokens WHERE person = @person ORDER BY created_at DESC, id LIMIT 500;

-- name: Tokens :many
SELECT * FROM tokens ORDER BY created_at DESC, id LIMIT 2000;

-- name: InsertToken :exec
INSERT INTO tokens (id, hash, kind, name, person, admin, customers, created_at, created_by, expires_at, used_at, used_from, revoked_at, revoked_by, machine, application)
VALUES (@id, @hash, @kind, @name, @person, @admin, @customers, @created_at, @created_by, @expires_at, 0, '', 0, '', @machine, @application);

-- name: UseToken :exec
UPDATE tokens SET used_at = @used_at, used_from = @used_from WHERE id = @id AND used_at < @used_at;

-- name: RevokeToken :execrows
UPDATE tokens SET revoked_at = @revoked_at, revoked_by = @revoked_by WHERE id = @id AND revoked_at = 0;

-- RevokeSignIns ends the sign-ins of a person's command lines.
-- name: RevokeSignIns :exec
UPDATE tokens SET revoked_at = @revoked_at, revoked_by = @revoked_by WHERE person = @person AND kind = 'cli' AND revoked_at = 0;

-- VoidPairings takes back what a person authorized and nobody fetched yet.
-- name: VoidPairings :exec
UPDATE pairings SET cancelled_at = @cancelled_at, one_time = '', version = version + 1
WHERE person = @person AND delivered_at = 0 AND cancelled_at = 0;

-- ForgoWork leaves undone what nobody has begun.
-- name: ForgoWork :exec
UPDATE work SET done_at = @done_at, next_at = 0, result = 'not needed any more' WHERE work_key = @work_key AND done_at = 0 AND lease_owner = '';

-- name: DropTokens :exec
DELETE FROM tokens WHERE kind = @kind AND expires_at < @before;

-- name: Pairing :one
SELECT * FROM pairings WHERE id = @id;

-- name: PairingByCode :one
SELECT * FROM pairings WHERE code = @code;

-- name: InsertPairing :exec
INSERT INTO pairings (id, application, machine, os_user, tenant, admin, challenge, state, port, code, address, created_at, expires_at, person, login, one_time, decided_at, delivered_at, cancelled_at, version)
VALUES (@id, @application, @machine, @os_user, @tenant, @admin, @challenge, @state, @port, @code, @address, @created_at, @expires_at, '', '', '', 0, 0, 0, 1);

-- name: UpdatePairing :execrows
UPDATE pairings
SET person = @person, login = @login, one_time = @one_time, decided_at = @decided_at, delivered_at = @delivered_at, cancelled_at = @cancelled_at, version = version + 1
WHERE id = @id AND version = @version;

-- name: DropPairings :exec
DELETE FROM pairings WHERE expires_at < @before;

-- What ticket systems told, and what became of the tickets of live grants.

-- name: TicketList :one
SELECT * FROM ticket_lists WHERE connection = @connection AND company = @company;

-- name: HoldConnection :execrows
UPDATE connections SET version = version WHERE id = @id AND version = @version;

-- name: PutTicketList :exec
INSERT INTO ticket_lists (connection, company, tickets, more, read_at) VALUES (@connection, @company, @tickets, @more, @read_at)
ON CONFLICT (connection, company) DO UPDATE SET tickets = excluded.tickets, more = excluded.more, read_at = excluded.read_at
WHERE ticket_lists.read_at <= excluded.read_at;

-- name: DropTicketLists :exec
DELETE FROM ticket_lists WHERE connection = @connection;

-- name: DropTicketChoices :exec
DELETE FROM ticket_choices WHERE connection = @connection;

-- name: TicketChoices :many
SELECT * FROM ticket_choices WHERE connection = @connection;

-- name: PutTicketChoices :exec
INSERT INTO ticket_choices (connection, field, choices, read_at) VALUES (@connection, @field, @choices, @read_at)
ON CONFLICT (connection, field) DO UPDATE SET choices = excluded.choices, read_at = excluded.read_at;

-- name: WatchedConnections :many
SELECT DISTINCT g.ticket_system FROM grants g
WHERE g.ticket_system > '' AND g.id IN (SELECT l.id FROM grants l WHERE l.ended_at = 0 UNION SELECT u.id FROM grants u WHERE u.ticket_unverified)
ORDER BY g.ticket_system;

-- name: WatchedGrants :many
SELECT g.id, g.requester, g.customer, g.policy, g.ticket_system, g.ticket_id, g.ticket_number, g.ticket_title, g.ticket_url, g.ticket_unverified FROM grants g
WHERE g.ticket_system = @ticket_system
AND g.id IN (SELECT l.id FROM grants l WHERE l.ended_at = 0 AND l.stopped_at = 0 UNION SELECT u.id FROM grants u WHERE u.ticket_unverified)
ORDER BY g.ticket_id, g.id;

-- name: TicketSigns :many
SELECT * FROM ticket_signs WHERE connection = @connection ORDER BY ticket;

-- name: PutTicketSign :exec
INSERT INTO ticket_signs (connection, ticket, closed_at, missed, why) VALUES (@connection, @ticket, @closed_at, @missed, @why)
ON CONFLICT (connection, ticket) DO UPDATE SET closed_at = excluded.closed_at, missed = excluded.missed, why = excluded.why;

-- name: DropTicketSign :exec
DELETE FROM ticket_signs WHERE connection = @connection AND ticket = @ticket;

-- name: SetTicket :execrows
UPDATE grants SET ticket_id = @ticket_id, ticket_number = @ticket_number, ticket_title = @ticket_title, ticket_url = @ticket_url,
    ticket_unverified = @ticket_unverified, version = version + 1
WHERE id = @id AND version = @version;

-- TicketOfNew tells of the ticket of a grant that is being inserted.
-- name: TicketOfNew :exec
UPDATE grants SET ticket_url = @ticket_url, ticket_unverified = @ticket_unverified WHERE id = @id;

-- WaitingNotes are those of a grant that were never tried.
-- name: WaitingNotes :many
SELECT * FROM work WHERE grant_id = @grant_id AND done_at = 0 AND tried_at = 0 AND lane = @lane ORDER BY place, id;

-- name: MoveWork :exec
UPDATE work SET lane = @lane, payload = @payload, version = version + 1,
    woken_at = CASE WHEN lease_owner <> '' THEN CAST(@next_at AS BIGINT) ELSE 0 END,
    next_at = CASE WHEN lease_owner = '' AND parked_at = 0 THEN CAST(@next_at AS BIGINT) ELSE next_at END
WHERE id = @id;

-- RestWork makes due what rests, and leaves alone what is due already.
-- name: RestWork :exec
INSERT INTO work (id, kind, work_key, group_name, lane, place, grant_id, payload, created_at, next_at)
VALUES (@id, @kind, @work_key, @group_name, @lane, @place, @grant_id, @payload, @created_at, @next_at)
ON CONFLICT (work_key) DO UPDATE SET done_at = 0, parked_at = 0, next_at = excluded.next_at WHERE work.next_at = 0 AND work.lease_owner = '';

-- name: ParkedWork :many
SELECT * FROM work WHERE group_name = @group_name AND parked_at > 0 ORDER BY place LIMIT @part;

-- OpenOnTarget finds one grant that is open, if there is any.
-- name: OpenOnTarget :many
SELECT id FROM grants WHERE ended_at = 0 AND target = @target LIMIT 1;

-- OpenOnConnection finds one grant that is open, or one note that waits, if there is any.
-- name: OpenOnConnection :many
SELECT g.id FROM grants g WHERE g.ended_at = 0 AND g.ticket_system = @connection
UNION ALL SELECT w.id FROM work w WHERE w.group_name = @connection AND w.kind = 'note' AND w.done_at = 0 AND w.parked_at = 0 LIMIT 1;

-- Accounts that bear our mark and have no live grant.

-- name: Orphans :many
SELECT * FROM orphans WHERE target = @target ORDER BY found_at, mark;

-- name: InsertOrphan :execrows
INSERT INTO orphans (target, mark, username, object_id, seen, found_at)
VALUES (@target, @mark, @username, @object_id, @seen, @found_at)
ON CONFLICT (target, mark) DO NOTHING;

-- name: SeeOrphan :exec
UPDATE orphans SET username = @username, object_id = @object_id, seen = @seen WHERE target = @target AND mark = @mark;

-- name: DropOrphan :execrows
DELETE FROM orphans WHERE target = @target AND mark = @mark;

-- StrayAccount leaves alone what is leased, was changed, or has an approved grant.
-- name: StrayAccount :execrows
UPDATE accounts SET seen = @seen, version = version + 1
WHERE accounts.id = @id AND accounts.version = @version AND lease_owner = ''
AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.account = accounts.id AND g.ended_at = 0 AND g.approved_at > 0);
