-- Records of notes that are there twice are few, and the page of each connection asks for its own.
CREATE INDEX audit_records_twice ON audit_records (subject, id) WHERE kind = 'note.twice';
