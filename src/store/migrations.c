#include "store/migrations.h"

const char *const migrations[] = {
	/* 1: workspaces. driver: 1 machine, 2 try. accel: 0 auto, 1 kvm, 2 tcg. pending: bits, store/workspaces.h. uid_base: 0 is none. */
	"CREATE TABLE workspaces ("
	" id TEXT PRIMARY KEY,"
	" name TEXT NOT NULL,"
	" owner TEXT NOT NULL,"
	" state TEXT NOT NULL,"
	" desired TEXT NOT NULL,"
	" detail TEXT NOT NULL,"
	" since_ms BIGINT NOT NULL,"
	" created_ms BIGINT NOT NULL,"
	" driver BIGINT NOT NULL,"
	" image TEXT NOT NULL,"
	" image_digest TEXT NOT NULL,"
	" cpus BIGINT NOT NULL,"
	" memory_bytes BIGINT NOT NULL,"
	" disk_bytes BIGINT NOT NULL,"
	" accel BIGINT NOT NULL,"
	" accel_in_use BIGINT NOT NULL,"
	" upstream_proxy TEXT NOT NULL,"
	" kernel_args TEXT NOT NULL,"
	" policy_file TEXT NOT NULL,"
	" policy_name TEXT NOT NULL,"
	" policy_sha256 TEXT NOT NULL,"
	" policy_lab BIGINT NOT NULL,"
	" generation BIGINT NOT NULL,"
	" pending BIGINT NOT NULL,"
	" uid_base BIGINT NOT NULL"
	");"
	"CREATE UNIQUE INDEX workspaces_name ON workspaces (owner, name);"
	"CREATE INDEX workspaces_state ON workspaces (owner, state, name);"
	"CREATE UNIQUE INDEX workspaces_uid ON workspaces (uid_base) WHERE uid_base <> 0;",
	/* 2: signed policies. channel: '' is none. release: hex of a manifest's hash; '' in records of before, whose policy has no text any
	 * more. rollback: a serial, 0 is none. */
	"ALTER TABLE workspaces ADD COLUMN channel TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE workspaces ADD COLUMN release TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE workspaces ADD COLUMN serial BIGINT NOT NULL DEFAULT 0;"
	"ALTER TABLE workspaces ADD COLUMN rollback BIGINT NOT NULL DEFAULT 0;"
	"CREATE INDEX workspaces_channel ON workspaces (channel) WHERE channel <> '';"
	"CREATE INDEX workspaces_release ON workspaces (release);"
	"CREATE TABLE releases ("
	" id TEXT PRIMARY KEY,"
	" serial BIGINT NOT NULL,"
	" policy_name TEXT NOT NULL,"
	" policy_sha256 TEXT NOT NULL,"
	" policy_lab BIGINT NOT NULL,"
	" signer TEXT NOT NULL,"
	" created_ms BIGINT NOT NULL,"
	" expires_ms BIGINT NOT NULL,"
	" pushed_ms BIGINT NOT NULL"
	");"
	"CREATE INDEX releases_policy ON releases (policy_sha256);"
	"CREATE TABLE channels ("
	" name TEXT PRIMARY KEY,"
	" release TEXT NOT NULL REFERENCES releases (id),"
	" serial BIGINT NOT NULL,"
	" top_serial BIGINT NOT NULL,"
	" rollback BIGINT NOT NULL,"
	" moved_ms BIGINT NOT NULL"
	");"
	"CREATE TABLE channel_releases ("
	" channel TEXT NOT NULL REFERENCES channels (name),"
	" release TEXT NOT NULL REFERENCES releases (id),"
	" serial BIGINT NOT NULL,"
	" PRIMARY KEY (channel, serial)"
	");",
	/* 3: names of the entries that only observe; '' in records of before. */
	"ALTER TABLE workspaces ADD COLUMN policy_observes TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE releases ADD COLUMN policy_observes TEXT NOT NULL DEFAULT '';",
	/* 4: the serial that a workspace's supervisor loaded last; 0 is none. In records of before it is taken for the record's. */
	"ALTER TABLE workspaces ADD COLUMN loaded_serial BIGINT NOT NULL DEFAULT 0;"
	"UPDATE workspaces SET loaded_serial = serial;",
	/* 5: withdrawn: 1 once the channel was rolled back past it, until it stands there again. Of records of before only the last rollback is known. */
	"ALTER TABLE channel_releases ADD COLUMN withdrawn BIGINT NOT NULL DEFAULT 0;"
	"UPDATE channel_releases SET withdrawn = 1 WHERE serial > (SELECT serial FROM channels WHERE name = channel);",
};

const size_t n_migrations = sizeof(migrations) / sizeof(migrations[0]);
