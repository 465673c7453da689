-- Grants whose tickets are still to be verified, also when they are over.
CREATE INDEX grants_unverified ON grants (ticket_system) WHERE ticket_unverified;
