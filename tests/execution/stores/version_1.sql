BEGIN TRANSACTION;
CREATE TABLE cases (
	id TEXT NOT NULL, 
	definition VARCHAR(64) NOT NULL, 
	workflow TEXT NOT NULL, 
	parent TEXT, 
	call JSON, 
	status VARCHAR(16) NOT NULL, 
	marking JSON NOT NULL, 
	variables JSON NOT NULL, 
	control JSON NOT NULL, 
	version INTEGER NOT NULL, 
	error TEXT, 
	created_at FLOAT NOT NULL, 
	updated_at FLOAT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(definition) REFERENCES definitions (hash)
);
INSERT INTO "cases" VALUES('01a2110c8f4d-84a6c77c','b11f599e52536dfbf5d6d65ff627630a51027c5f298ae76216339ec8db7c180c','check',NULL,NULL,'completed','{"check/checked.out":1}','{"number":4,"scopes":{"":["",0,{"amount":["1",1],"seen":[[],2],"answer":["fine",4]},{}]}}','{"firings":1,"running":{},"deciding":{},"incidents":{}}',3,NULL,1.79558236551796460154e+09,1.79558236552128648762e+09);
INSERT INTO "cases" VALUES('01a2110c8f52-0ab30e29','58f6699d5dc2abec79879f389a674adc6f27c061ad7f264ba37cd85a3b58e087','claim',NULL,NULL,'running','{"claim/parallel-2/reply/sequence-1/answered.in":1,"claim/parallel-2/check.running":1,"claim/parallel-2/work.running":1}','{"number":4,"scopes":{"":["",0,{"amount":["99.90",1],"seen":[["begin"],4],"answer":["",3]},{}],"claim/parallel-2/reply":["",4,{},{}],"claim/parallel-2/check":["",4,{},{}],"claim/parallel-2/work":["",4,{},{}],"01a2110c8f52-0ab30e29/claim/parallel-2/check/2":["claim/parallel-2/check",4,{},{}],"01a2110c8f52-0ab30e29/claim/parallel-2/work/3":["claim/parallel-2/work",4,{},{}]}}','{"firings":3,"running":{"01a2110c8f52-0ab30e29/claim/parallel-2/check/2":["claim/parallel-2/check",1],"01a2110c8f52-0ab30e29/claim/parallel-2/work/3":["claim/parallel-2/work",1]},"deciding":{},"incidents":{},"waiting":{"claim/parallel-2/reply/sequence-1/answered.happens":2,"claim/parallel-2/reply/sequence-2/week.happens":2}}',2,NULL,1.79558236552297353742e+09,1.79558236552512431143e+09);
INSERT INTO "cases" VALUES('01a2110c8f52-0ab30e29/claim/parallel-2/check/2','b11f599e52536dfbf5d6d65ff627630a51027c5f298ae76216339ec8db7c180c','check','01a2110c8f52-0ab30e29','["01a2110c8f52-0ab30e29/claim/parallel-2/check/2",1,{"amount":"99.90","seen":["begin"],"answer":""}]','running','{"check/look.out":1}','{"number":4,"scopes":{"":["",0,{"amount":["99.90",1],"seen":[["begin"],2],"answer":["fine",4]},{}]}}','{"firings":1,"running":{},"deciding":{},"incidents":{},"waiting":{"check/checked.happens":2}}',2,NULL,1.79558236552657890321e+09,1.79558236552818584448e+09);
CREATE TABLE definitions (
	hash VARCHAR(64) NOT NULL, 
	name TEXT NOT NULL, 
	document JSON NOT NULL, 
	created_at FLOAT NOT NULL, 
	PRIMARY KEY (hash)
);
INSERT INTO "definitions" VALUES('58f6699d5dc2abec79879f389a674adc6f27c061ad7f264ba37cd85a3b58e087','claim','{"net":{"name":"claim","form":"atomic","places":["claim/begin.in","claim/begin.out","claim/parallel-2.out","claim/parallel-2/reply/sequence-1/answered.in","claim/parallel-2/reply/sequence-1/answered.out","claim/parallel-2/reply/sequence-1/thank.out","claim/parallel-2/reply/sequence-2/week.out","claim/parallel-2/check.in","claim/parallel-2/check.out","claim/parallel-2/work.in","claim/parallel-2/work.out","claim/end.out"],"transitions":[{"id":"claim/begin","label":"begin","cancels":[],"arcs":[["consume","claim/begin.in",1],["produce","claim/begin.out",1]]},{"id":"claim/parallel-2/reply/sequence-1/answered.happens","label":null,"cancels":[],"arcs":[["consume","claim/parallel-2/reply/sequence-1/answered.in",1],["produce","claim/parallel-2/reply/sequence-1/answered.out",1]]},{"id":"claim/parallel-2/reply/sequence-1/thank","label":"thank","cancels":[],"arcs":[["consume","claim/parallel-2/reply/sequence-1/answered.out",1],["produce","claim/parallel-2/reply/sequence-1/thank.out",1]]},{"id":"claim/parallel-2/reply/sequence-2/week.happens","label":null,"cancels":[],"arcs":[["consume","claim/parallel-2/reply/sequence-1/answered.in",1],["produce","claim/parallel-2/reply/sequence-2/week.out",1]]},{"id":"claim/parallel-2/reply/sequence-2/remind","label":"remind","cancels":[],"arcs":[["consume","claim/parallel-2/reply/sequence-2/week.out",1],["produce","claim/parallel-2/reply/sequence-1/thank.out",1]]},{"id":"claim/parallel-2/check","label":"check","cancels":[],"arcs":[["consume","claim/parallel-2/check.in",1],["produce","claim/parallel-2/check.out",1]]},{"id":"claim/parallel-2/work","label":"work","cancels":[],"arcs":[["consume","claim/parallel-2/work.in",1],["produce","claim/parallel-2/work.out",1]]},{"id":"claim/parallel-2.split","label":null,"cancels":[],"arcs":[["consume","claim/begin.out",1],["produce","claim/parallel-2/check.in",1],["produce","claim/parallel-2/reply/sequence-1/answered.in",1],["produce","claim/parallel-2/work.in",1]]},{"id":"claim/parallel-2.join","label":null,"cancels":[],"arcs":[["consume","claim/parallel-2/check.out",1],["consume","claim/parallel-2/reply/sequence-1/thank.out",1],["consume","claim/parallel-2/work.out",1],["produce","claim/parallel-2.out",1]]},{"id":"claim/end","label":"end","cancels":[],"arcs":[["consume","claim/parallel-2.out",1],["produce","claim/end.out",1]]}],"initial":{},"final":null},"tasks":{"claim/begin":["step.<locals>.body","begin",0,null,1.0,2.0],"claim/parallel-2/reply/sequence-1/thank":["step.<locals>.body","thank",0,null,1.0,2.0],"claim/parallel-2/reply/sequence-2/remind":["step.<locals>.body","remind",0,null,1.0,2.0],"claim/parallel-2/check":["_nothing","check",0,null,1.0,2.0],"claim/parallel-2/work":["work","work",0,null,1.0,2.0],"claim/end":["step.<locals>.body","end",0,null,1.0,2.0]},"calls":{"claim/parallel-2/check":"check"},"choices":[],"triggers":{"claim/parallel-2/reply/sequence-1/answered.happens":["answered",true],"claim/parallel-2/reply/sequence-2/week.happens":[604800.0]},"counts":[],"instances":[],"blocks":[["claim/parallel-2",["claim/parallel-2.split"],["claim/parallel-2.join"],["claim/parallel-2/reply","claim/parallel-2/check","claim/parallel-2/work"]]],"variables":{"properties":{"amount":{"anyOf":[{"type":"number"},{"type":"string"}],"default":"12.50"},"seen":{"default":[],"items":{"type":"string"},"type":"array"},"answer":{"default":"","type":"string"}},"type":"object"},"merge":{"seen":"collect"}}',1.79558236550471806529e+09);
INSERT INTO "definitions" VALUES('b11f599e52536dfbf5d6d65ff627630a51027c5f298ae76216339ec8db7c180c','check','{"net":{"name":"check","form":"atomic","places":["check/look.in","check/look.out","check/checked.out"],"transitions":[{"id":"check/look","label":"look","cancels":[],"arcs":[["consume","check/look.in",1],["produce","check/look.out",1]]},{"id":"check/checked.happens","label":null,"cancels":[],"arcs":[["consume","check/look.out",1],["produce","check/checked.out",1]]}],"initial":{},"final":null},"tasks":{"check/look":["look","look",0,null,1.0,2.0]},"calls":{},"choices":[],"triggers":{"check/checked.happens":["checked",true]},"counts":[],"instances":[],"blocks":[],"variables":{"properties":{"amount":{"anyOf":[{"type":"number"},{"type":"string"}],"default":"12.50"},"seen":{"default":[],"items":{"type":"string"},"type":"array"},"answer":{"default":"","type":"string"}},"type":"object"},"merge":{}}',1.79558236551004171376e+09);
CREATE TABLE events (
	case_id TEXT NOT NULL, 
	seq INTEGER NOT NULL, 
	at FLOAT NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	data JSON NOT NULL, 
	fired JSON NOT NULL, 
	delta JSON NOT NULL, 
	late BOOLEAN NOT NULL, 
	PRIMARY KEY (case_id, seq), 
	FOREIGN KEY(case_id) REFERENCES cases (id)
)
 WITHOUT ROWID

;
INSERT INTO "events" VALUES('01a2110c8f4d-84a6c77c',1,1.79558236551819658277e+09,'CaseStarted','{"variables":{"amount":"1","seen":[],"answer":""}}','["check/look.start"]','{"check/look.running":1}',0);
INSERT INTO "events" VALUES('01a2110c8f4d-84a6c77c',2,1.79558236552092504497e+09,'TaskCompleted','{"firing_id":"01a2110c8f4d-84a6c77c/check/look/1","updates":{"answer":"fine"}}','["check/look.complete"]','{"check/look.out":1,"check/look.running":-1}',0);
INSERT INTO "events" VALUES('01a2110c8f4d-84a6c77c',3,1.79558236552120327944e+09,'EventReceived','{"name":"checked","payload":{}}','["check/checked.happens"]','{"check/look.out":-1,"check/checked.out":1}',0);
INSERT INTO "events" VALUES('01a2110c8f52-0ab30e29',1,1.79558236552313256265e+09,'CaseStarted','{"variables":{"amount":"99.90","seen":[],"answer":""}}','["claim/begin.start"]','{"claim/begin.running":1}',0);
INSERT INTO "events" VALUES('01a2110c8f52-0ab30e29',2,1.79558236552498102188e+09,'TaskCompleted','{"firing_id":"01a2110c8f52-0ab30e29/claim/begin/1","updates":{"seen":"begin"}}','["claim/begin.complete","claim/parallel-2.split","claim/parallel-2/check.start","claim/parallel-2/work.start"]','{"claim/begin.running":-1,"claim/parallel-2/reply/sequence-1/answered.in":1,"claim/parallel-2/check.running":1,"claim/parallel-2/work.running":1}',0);
INSERT INTO "events" VALUES('01a2110c8f52-0ab30e29/claim/parallel-2/check/2',1,1.7955823655266458988e+09,'CaseStarted','{"variables":{"amount":"99.90","seen":["begin"],"answer":""}}','["check/look.start"]','{"check/look.running":1}',0);
INSERT INTO "events" VALUES('01a2110c8f52-0ab30e29/claim/parallel-2/check/2',2,1.79558236552811956404e+09,'TaskCompleted','{"firing_id":"01a2110c8f52-0ab30e29/claim/parallel-2/check/2/check/look/1","updates":{"answer":"fine"}}','["check/look.complete"]','{"check/look.out":1,"check/look.running":-1}',0);
CREATE TABLE inbox (
	case_id TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	event TEXT NOT NULL, 
	at FLOAT NOT NULL, 
	PRIMARY KEY (case_id, "key"), 
	FOREIGN KEY(case_id) REFERENCES cases (id)
)
 WITHOUT ROWID

;
CREATE TABLE timers (
	case_id TEXT NOT NULL, 
	timer TEXT NOT NULL, 
	due FLOAT NOT NULL, 
	PRIMARY KEY (case_id, timer), 
	FOREIGN KEY(case_id) REFERENCES cases (id)
)
 WITHOUT ROWID

;
INSERT INTO "timers" VALUES('01a2110c8f52-0ab30e29','claim/parallel-2/reply/sequence-2/week.happens#2',1.79618716552500176427e+09);
CREATE INDEX open_cases ON cases (definition) WHERE status = 'running';
COMMIT;
PRAGMA application_id = 1346792567;
PRAGMA user_version = 1;
