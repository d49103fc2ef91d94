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
	owner VARCHAR(32), 
	fence INTEGER DEFAULT '0' NOT NULL, 
	active BOOLEAN DEFAULT 1 NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(definition) REFERENCES definitions (hash)
);
INSERT INTO "cases" VALUES('01a3185c5000-68295876','b11f599e52536dfbf5d6d65ff627630a51027c5f298ae76216339ec8db7c180c','check',NULL,NULL,'completed','{"check/checked.out":1}','{"number":4,"scopes":{"":["",0,{"amount":["1",1],"seen":[[],2],"answer":["fine",4]},{}]}}','{"firings":1,"running":{},"deciding":{},"incidents":{}}',3,NULL,1800000000.0,1800000000.0,'39ad899b4d7d4f75d546aab9c704fe0e',1,0);
INSERT INTO "cases" VALUES('01a3185c5000-df162337','58f6699d5dc2abec79879f389a674adc6f27c061ad7f264ba37cd85a3b58e087','claim',NULL,NULL,'suspended','{"claim/parallel-2/reply/sequence-1/answered.in":1,"claim/parallel-2/check.running":1,"claim/parallel-2/work.running":1}','{"number":4,"scopes":{"":["",0,{"amount":["99.90",1],"seen":[["begin"],4],"answer":["",3]},{}],"claim/parallel-2/reply":["",4,{},{}],"claim/parallel-2/check":["",4,{},{}],"claim/parallel-2/work":["",4,{},{}],"01a3185c5000-df162337/claim/parallel-2/check/2":["claim/parallel-2/check",4,{},{}],"01a3185c5000-df162337/claim/parallel-2/work/3":["claim/parallel-2/work",4,{},{}]}}','{"firings":3,"running":{"01a3185c5000-df162337/claim/parallel-2/check/2":["claim/parallel-2/check",1],"01a3185c5000-df162337/claim/parallel-2/work/3":["claim/parallel-2/work",1]},"deciding":{},"incidents":{},"waiting":{"claim/parallel-2/reply/sequence-1/answered.happens":2,"claim/parallel-2/reply/sequence-2/week.happens":2}}',3,NULL,1800000000.0,1800000000.0,'39ad899b4d7d4f75d546aab9c704fe0e',1,1);
INSERT INTO "cases" VALUES('01a3185c5000-df162337/claim/parallel-2/check/2','b11f599e52536dfbf5d6d65ff627630a51027c5f298ae76216339ec8db7c180c','check','01a3185c5000-df162337','["01a3185c5000-df162337/claim/parallel-2/check/2",1,{"amount":"99.90","seen":["begin"],"answer":""}]','suspended','{"check/look.out":1}','{"number":4,"scopes":{"":["",0,{"amount":["99.90",1],"seen":[["begin"],2],"answer":["fine",4]},{}]}}','{"firings":1,"running":{},"deciding":{},"incidents":{},"waiting":{"check/checked.happens":2}}',3,NULL,1800000000.0,1800000000.0,'39ad899b4d7d4f75d546aab9c704fe0e',1,1);
INSERT INTO "cases" VALUES('01a3185c5000-6cc61dc7','58f6699d5dc2abec79879f389a674adc6f27c061ad7f264ba37cd85a3b58e087','claim',NULL,NULL,'running','{"claim/parallel-2/reply/sequence-1/answered.in":1,"claim/parallel-2/check.running":1,"claim/parallel-2/work.running":1}','{"number":4,"scopes":{"":["",0,{"amount":["12",1],"seen":[["begin"],4],"answer":["",3]},{}],"claim/parallel-2/reply":["",4,{},{}],"claim/parallel-2/check":["",4,{},{}],"claim/parallel-2/work":["",4,{},{}],"01a3185c5000-6cc61dc7/claim/parallel-2/check/2":["claim/parallel-2/check",4,{},{}],"01a3185c5000-6cc61dc7/claim/parallel-2/work/3":["claim/parallel-2/work",4,{},{}]}}','{"firings":3,"running":{"01a3185c5000-6cc61dc7/claim/parallel-2/check/2":["claim/parallel-2/check",1],"01a3185c5000-6cc61dc7/claim/parallel-2/work/3":["claim/parallel-2/work",1]},"deciding":{},"incidents":{},"waiting":{"claim/parallel-2/reply/sequence-1/answered.happens":2,"claim/parallel-2/reply/sequence-2/week.happens":2}}',2,NULL,1800000000.0,1800000000.0,'39ad899b4d7d4f75d546aab9c704fe0e',1,1);
INSERT INTO "cases" VALUES('01a3185c5000-6cc61dc7/claim/parallel-2/check/2','b11f599e52536dfbf5d6d65ff627630a51027c5f298ae76216339ec8db7c180c','check','01a3185c5000-6cc61dc7','["01a3185c5000-6cc61dc7/claim/parallel-2/check/2",1,{"amount":"12","seen":["begin"],"answer":""}]','running','{"check/look.out":1}','{"number":4,"scopes":{"":["",0,{"amount":["12",1],"seen":[["begin"],2],"answer":["fine",4]},{}]}}','{"firings":1,"running":{},"deciding":{},"incidents":{},"waiting":{"check/checked.happens":2}}',2,NULL,1800000000.0,1800000000.0,'39ad899b4d7d4f75d546aab9c704fe0e',1,1);
INSERT INTO "cases" VALUES('01a3185c5000-8c4b9569','fc40152684c9a3f8e82933a6d71f540081175b7fd5bb798a33993cce4c7115d6','trip',NULL,NULL,'running','{"trip/pay.running":1}','{"number":1,"scopes":{"":["",0,{"booking":["01a3185c5000-8c4b9569/trip/book/1",1]},{}],"01a3185c5000-8c4b9569/trip/pay/2":["",1,{},{}]}}','{"firings":2,"running":{"01a3185c5000-8c4b9569/trip/pay/2":["trip/pay",1]},"deciding":{},"incidents":{"01a3185c5000-8c4b9569/trip/pay/2":["TaskFailed","task ''trip/pay'': OSError: the bank is closed"]},"done":[["01a3185c5000-8c4b9569/trip/book/1","trip/book",{"booking":"01a3185c5000-8c4b9569/trip/book/1"},null]]}',3,NULL,1800000000.0,1800000000.0,'39ad899b4d7d4f75d546aab9c704fe0e',1,0);
INSERT INTO "cases" VALUES('01a3185c5000-579422b1','fc40152684c9a3f8e82933a6d71f540081175b7fd5bb798a33993cce4c7115d6','trip',NULL,NULL,'running','{"trip/pay.running":1}','{"number":1,"scopes":{"":["",0,{"booking":["01a3185c5000-579422b1/trip/book/1",1]},{}],"01a3185c5000-579422b1/trip/pay/2":["",1,{},{}]}}','{"firings":2,"running":{"01a3185c5000-579422b1/trip/book.undo/1":["trip/book.undo",1]},"deciding":{},"incidents":{},"done":[["01a3185c5000-579422b1/trip/book/1","trip/book",{"booking":"01a3185c5000-579422b1/trip/book/1"},null]],"ending":["cancelled","nobody travels"]}',4,NULL,1800000000.0,1800000000.0,'39ad899b4d7d4f75d546aab9c704fe0e',1,1);
INSERT INTO "cases" VALUES('01a3185c5000-40e8ff6b','30fac63e99cbfdc2e53644b53671fc6f71cec7f78b13411b2748fd53c05ca23a','paper',NULL,NULL,'running','{"paper/review.running":1,"paper/sign.running":1}','{"number":0,"scopes":{"":["",0,{},{}],"paper/review":["",0,{},{}],"paper/sign":["",0,{},{}],"01a3185c5000-40e8ff6b/paper/review/1":["paper/review",0,{},{}],"01a3185c5000-40e8ff6b/paper/sign/2":["paper/sign",0,{},{}]}}','{"firings":2,"running":{"01a3185c5000-40e8ff6b/paper/review/1":["paper/review",1],"01a3185c5000-40e8ff6b/paper/sign/2":["paper/sign",1]},"deciding":{},"incidents":{},"holders":{"01a3185c5000-40e8ff6b/paper/sign/2":"carl"}}',2,NULL,1800000000.0,1800000000.0,'39ad899b4d7d4f75d546aab9c704fe0e',1,0);
INSERT INTO "cases" VALUES('01a3185c5000-04e23864','0dcc1b2495a00464079b580c06e2966deda4f61e5ca9c3607659bbd31c268f31','order',NULL,NULL,'running','{"order/payment.in":1}','{"number":1,"scopes":{"":["",0,{"order_id":[7,1]},{}]}}','{"firings":0,"running":{},"deciding":{},"incidents":{},"waiting":{"order/payment.happens":1},"about":{"order/payment.happens":"7"}}',1,NULL,1800000000.0,1800000000.0,'39ad899b4d7d4f75d546aab9c704fe0e',1,0);
INSERT INTO "cases" VALUES('01a3185c5000-43534147','5bd380c478532a800f2a8a9afbf481faaf10ffb622c362513b870fcd8ecb78ba','routes',NULL,NULL,'running','{"routes/parallel-1/copies.waiting":1,"routes/parallel-1/copies.free":1,"routes/parallel-1/race/then.out":1,"routes/parallel-1/race.fired":1,"routes/parallel-1/ledger/black.in":1,"routes/parallel-1/copies/copy.running":2,"routes/parallel-1/race/late.running":1,"routes/parallel-1/ledger/red.running":1}','{"number":5,"scopes":{"":["",0,{"n":[2,1],"seen":[[],2],"colour":["blue",3]},{}],"routes/parallel-1/copies":["",3,{},{}],"routes/parallel-1/race":["",3,{"seen":[[["quick",4],["then",5]],5]},{}],"routes/parallel-1/ledger":["",3,{},{}],"01a3185c5000-43534147/routes/parallel-1/copies/copy/1":["routes/parallel-1/copies",3,{},{}],"routes/parallel-1/race/late":["routes/parallel-1/race",3,{},{"seen":[[]]}],"01a3185c5000-43534147/routes/parallel-1/race/late/3":["routes/parallel-1/race/late",3,{},{}],"routes/parallel-1/ledger/red":["routes/parallel-1/ledger",3,{},{}],"routes/parallel-1/ledger/black":["routes/parallel-1/ledger",3,{},{}],"01a3185c5000-43534147/routes/parallel-1/ledger/red/4":["routes/parallel-1/ledger/red",3,{},{}],"01a3185c5000-43534147/routes/parallel-1/copies/copy/5":["routes/parallel-1/copies",3,{},{}]}}','{"firings":6,"running":{"01a3185c5000-43534147/routes/parallel-1/copies/copy/1":["routes/parallel-1/copies/copy",1,0],"01a3185c5000-43534147/routes/parallel-1/race/late/3":["routes/parallel-1/race/late",1],"01a3185c5000-43534147/routes/parallel-1/ledger/red/4":["routes/parallel-1/ledger/red",1],"01a3185c5000-43534147/routes/parallel-1/copies/copy/5":["routes/parallel-1/copies/copy",1,1]},"deciding":{},"incidents":{},"instances":{"routes/parallel-1/copies/copy":2}}',4,NULL,1800000000.0,1800000000.0,'39ad899b4d7d4f75d546aab9c704fe0e',1,1);
CREATE TABLE definitions (
	hash VARCHAR(64) NOT NULL, 
	name TEXT NOT NULL, 
	document JSON NOT NULL, 
	created_at FLOAT NOT NULL, 
	PRIMARY KEY (hash)
);
INSERT INTO "definitions" VALUES('fc40152684c9a3f8e82933a6d71f540081175b7fd5bb798a33993cce4c7115d6','trip','{"net":{"name":"trip","form":"atomic","places":["trip/book.in","trip/book.out","trip/pay.out","trip/travelled.out"],"transitions":[{"id":"trip/book","label":"book","cancels":[],"arcs":[["consume","trip/book.in",1],["produce","trip/book.out",1]]},{"id":"trip/pay","label":"pay","cancels":[],"arcs":[["consume","trip/book.out",1],["produce","trip/pay.out",1]]},{"id":"trip/travelled.happens","label":null,"cancels":[],"arcs":[["consume","trip/pay.out",1],["produce","trip/travelled.out",1]]}],"initial":{},"final":null},"tasks":{"trip/book":["book","book",0,null,1.0,2.0,{"compensate":["unbook","unbook",0,null,1.0,2.0]}],"trip/pay":["pay","pay",0,null,1.0,2.0,{"on_failure":"incident"}]},"calls":{},"choices":[],"triggers":{"trip/travelled.happens":["travelled",true]},"counts":[],"instances":[],"blocks":[],"variables":null,"merge":{}}',1800000000.0);
INSERT INTO "definitions" VALUES('30fac63e99cbfdc2e53644b53671fc6f71cec7f78b13411b2748fd53c05ca23a','paper','{"net":{"name":"paper","form":"atomic","places":["paper.in","paper.out","paper/review.in","paper/review.out","paper/sign.in","paper/sign.out"],"transitions":[{"id":"paper/review","label":"review","cancels":[],"arcs":[["consume","paper/review.in",1],["produce","paper/review.out",1]]},{"id":"paper/sign","label":"sign","cancels":[],"arcs":[["consume","paper/sign.in",1],["produce","paper/sign.out",1]]},{"id":"paper.split","label":null,"cancels":[],"arcs":[["consume","paper.in",1],["produce","paper/review.in",1],["produce","paper/sign.in",1]]},{"id":"paper.join","label":null,"cancels":[],"arcs":[["consume","paper/review.out",1],["consume","paper/sign.out",1],["produce","paper.out",1]]}],"initial":{},"final":null},"tasks":{"paper/review":["by_a_person","review",0,null,1.0,2.0,{"role":"reviewer","asks":["ok"]}],"paper/sign":["by_a_person","sign",0,null,1.0,2.0,{"deadline":2592000.0,"role":"boss"}]},"calls":{},"choices":[],"triggers":{},"counts":[],"instances":[],"blocks":[["paper",["paper.split"],["paper.join"],["paper/review","paper/sign"]]],"variables":null,"merge":{}}',1800000000.0);
INSERT INTO "definitions" VALUES('0dcc1b2495a00464079b580c06e2966deda4f61e5ca9c3607659bbd31c268f31','order','{"net":{"name":"order","form":"atomic","places":["order/payment.in","order/payment.out","order/ship.out"],"transitions":[{"id":"order/payment.happens","label":null,"cancels":[],"arcs":[["consume","order/payment.in",1],["produce","order/payment.out",1]]},{"id":"order/ship","label":"ship","cancels":[],"arcs":[["consume","order/payment.out",1],["produce","order/ship.out",1]]}],"initial":{},"final":null},"tasks":{"order/ship":["step.<locals>.body","ship",0,null,1.0,2.0]},"calls":{},"choices":[],"triggers":{"order/payment.happens":["payment",true,"order_id"]},"counts":[],"instances":[],"blocks":[],"variables":null,"merge":{}}',1800000000.0);
INSERT INTO "definitions" VALUES('5bd380c478532a800f2a8a9afbf481faaf10ffb622c362513b870fcd8ecb78ba','routes','{"net":{"name":"routes","form":"atomic","places":["routes/parallel-1.in","routes/parallel-1.out","routes/parallel-1/copies/copy.in","routes/parallel-1/copies/copy.out","routes/parallel-1/copies.in","routes/parallel-1/copies.out","routes/parallel-1/copies.counting","routes/parallel-1/copies.waiting","routes/parallel-1/copies.free","routes/parallel-1/race/quick.in","routes/parallel-1/race/late.in","routes/parallel-1/race/then.in","routes/parallel-1/race/then.out","routes/parallel-1/race.in","routes/parallel-1/race.out","routes/parallel-1/race.arrived","routes/parallel-1/race.ready","routes/parallel-1/race.drained","routes/parallel-1/race.fired","routes/parallel-1/ledger/red.in","routes/parallel-1/ledger/red.out","routes/parallel-1/ledger/black.in","routes/parallel-1/ledger/black.out","routes/parallel-1/ledger.in","routes/parallel-1/ledger.out","routes/parallel-1/ledger.turn","routes/rounds.out","routes/rounds/turn.in","routes/rounds.test","routes/exclusive_choice-3.out","routes/exclusive_choice-3/paint.in","routes/exclusive_choice-3/leave.in","routes/dry.out"],"transitions":[{"id":"routes/parallel-1/copies/copy","label":"copy","cancels":[],"arcs":[["consume","routes/parallel-1/copies/copy.in",1],["produce","routes/parallel-1/copies/copy.out",1]]},{"id":"routes/parallel-1/copies.start","label":null,"cancels":[],"arcs":[["consume","routes/parallel-1/copies.in",1],["produce","routes/parallel-1/copies.counting",1],["produce","routes/parallel-1/copies.free",2],["produce","routes/parallel-1/copies/copy.in",1]]},{"id":"routes/parallel-1/copies.more","label":null,"cancels":[],"arcs":[["consume","routes/parallel-1/copies.counting",1],["consume","routes/parallel-1/copies.free",1],["produce","routes/parallel-1/copies.counting",1],["produce","routes/parallel-1/copies/copy.in",1]]},{"id":"routes/parallel-1/copies.stop","label":null,"cancels":[],"arcs":[["consume","routes/parallel-1/copies.counting",1],["produce","routes/parallel-1/copies.waiting",1]]},{"id":"routes/parallel-1/copies.collect","label":null,"cancels":[],"arcs":[["consume","routes/parallel-1/copies.waiting",1],["consume","routes/parallel-1/copies/copy.out",1],["produce","routes/parallel-1/copies.free",1],["produce","routes/parallel-1/copies.waiting",1]]},{"id":"routes/parallel-1/copies.end","label":null,"cancels":[],"arcs":[["consume","routes/parallel-1/copies.free",3],["consume","routes/parallel-1/copies.waiting",1],["produce","routes/parallel-1/copies.out",1]]},{"id":"routes/parallel-1/race/quick","label":"quick","cancels":[],"arcs":[["consume","routes/parallel-1/race/quick.in",1],["produce","routes/parallel-1/race.arrived",1]]},{"id":"routes/parallel-1/race/late","label":"late","cancels":[],"arcs":[["consume","routes/parallel-1/race/late.in",1],["produce","routes/parallel-1/race.arrived",1]]},{"id":"routes/parallel-1/race/then","label":"then","cancels":[],"arcs":[["consume","routes/parallel-1/race/then.in",1],["produce","routes/parallel-1/race/then.out",1]]},{"id":"routes/parallel-1/race.split","label":null,"cancels":[],"arcs":[["consume","routes/parallel-1/race.in",1],["produce","routes/parallel-1/race.ready",1],["produce","routes/parallel-1/race/late.in",1],["produce","routes/parallel-1/race/quick.in",1]]},{"id":"routes/parallel-1/race.fire","label":null,"cancels":[],"arcs":[["consume","routes/parallel-1/race.arrived",1],["consume","routes/parallel-1/race.ready",1],["produce","routes/parallel-1/race.fired",1],["produce","routes/parallel-1/race/then.in",1]]},{"id":"routes/parallel-1/race.drain","label":null,"cancels":[],"arcs":[["consume","routes/parallel-1/race.arrived",1],["consume","routes/parallel-1/race.fired",1],["produce","routes/parallel-1/race.drained",1]]},{"id":"routes/parallel-1/race.end","label":null,"cancels":[],"arcs":[["consume","routes/parallel-1/race.drained",1],["consume","routes/parallel-1/race/then.out",1],["produce","routes/parallel-1/race.out",1]]},{"id":"routes/parallel-1/ledger/red","label":"red","cancels":[],"arcs":[["consume","routes/parallel-1/ledger.turn",1],["consume","routes/parallel-1/ledger/red.in",1],["produce","routes/parallel-1/ledger.turn",1],["produce","routes/parallel-1/ledger/red.out",1]]},{"id":"routes/parallel-1/ledger/black","label":"black","cancels":[],"arcs":[["consume","routes/parallel-1/ledger.turn",1],["consume","routes/parallel-1/ledger/black.in",1],["produce","routes/parallel-1/ledger.turn",1],["produce","routes/parallel-1/ledger/black.out",1]]},{"id":"routes/parallel-1/ledger.split","label":null,"cancels":[],"arcs":[["consume","routes/parallel-1/ledger.in",1],["produce","routes/parallel-1/ledger.turn",1],["produce","routes/parallel-1/ledger/black.in",1],["produce","routes/parallel-1/ledger/red.in",1]]},{"id":"routes/parallel-1/ledger.join","label":null,"cancels":[],"arcs":[["consume","routes/parallel-1/ledger.turn",1],["consume","routes/parallel-1/ledger/black.out",1],["consume","routes/parallel-1/ledger/red.out",1],["produce","routes/parallel-1/ledger.out",1]]},{"id":"routes/parallel-1.split","label":null,"cancels":[],"arcs":[["consume","routes/parallel-1.in",1],["produce","routes/parallel-1/copies.in",1],["produce","routes/parallel-1/ledger.in",1],["produce","routes/parallel-1/race.in",1]]},{"id":"routes/parallel-1.join","label":null,"cancels":[],"arcs":[["consume","routes/parallel-1/copies.out",1],["consume","routes/parallel-1/ledger.out",1],["consume","routes/parallel-1/race.out",1],["produce","routes/parallel-1.out",1]]},{"id":"routes/rounds/turn","label":"turn","cancels":[],"arcs":[["consume","routes/rounds/turn.in",1],["produce","routes/rounds.test",1]]},{"id":"routes/rounds.enter","label":null,"cancels":[],"arcs":[["consume","routes/parallel-1.out",1],["produce","routes/rounds/turn.in",1]]},{"id":"routes/rounds.again","label":null,"cancels":[],"arcs":[["consume","routes/rounds.test",1],["produce","routes/rounds/turn.in",1]]},{"id":"routes/rounds.leave","label":null,"cancels":[],"arcs":[["consume","routes/rounds.test",1],["produce","routes/rounds.out",1]]},{"id":"routes/exclusive_choice-3/paint","label":"paint","cancels":[],"arcs":[["consume","routes/exclusive_choice-3/paint.in",1],["produce","routes/exclusive_choice-3.out",1]]},{"id":"routes/exclusive_choice-3/leave","label":"leave","cancels":[],"arcs":[["consume","routes/exclusive_choice-3/leave.in",1],["produce","routes/exclusive_choice-3.out",1]]},{"id":"routes/exclusive_choice-3.select-paint","label":null,"cancels":[],"arcs":[["consume","routes/rounds.out",1],["produce","routes/exclusive_choice-3/paint.in",1]]},{"id":"routes/exclusive_choice-3.select-leave","label":null,"cancels":[],"arcs":[["consume","routes/rounds.out",1],["produce","routes/exclusive_choice-3/leave.in",1]]},{"id":"routes/dry.happens","label":null,"cancels":[],"arcs":[["consume","routes/exclusive_choice-3.out",1],["produce","routes/dry.out",1]]}],"initial":{},"final":null},"tasks":{"routes/parallel-1/copies/copy":["at_work.<locals>.body","copy",0,null,1.0,2.0],"routes/parallel-1/race/quick":["step.<locals>.body","quick",0,null,1.0,2.0],"routes/parallel-1/race/late":["at_work.<locals>.body","late",0,null,1.0,2.0],"routes/parallel-1/race/then":["step.<locals>.body","then",0,null,1.0,2.0],"routes/parallel-1/ledger/red":["at_work.<locals>.body","red",0,null,1.0,2.0],"routes/parallel-1/ledger/black":["at_work.<locals>.body","black",0,null,1.0,2.0],"routes/rounds/turn":["step.<locals>.body","turn",0,null,1.0,2.0],"routes/exclusive_choice-3/paint":["step.<locals>.body","paint",0,null,1.0,2.0],"routes/exclusive_choice-3/leave":["step.<locals>.body","leave",0,null,1.0,2.0]},"calls":{},"choices":[{"path":"routes/rounds","place":"routes/rounds.test","many":false,"patient":false,"branches":[["leave","turned"],["again",null]],"selectors":[["routes/rounds.leave",[0],[1]],["routes/rounds.again",[1],[0]]]},{"path":"routes/exclusive_choice-3","place":"routes/rounds.out","many":false,"patient":false,"branches":[["paint","colour == ''red''"],["leave",null]],"selectors":[["routes/exclusive_choice-3.select-paint",[0],[1]],["routes/exclusive_choice-3.select-leave",[1],[0]]]}],"triggers":{"routes/dry.happens":[86400.0]},"counts":[["routes/parallel-1/copies","routes/parallel-1/copies.counting","n","routes/parallel-1/copies.more","routes/parallel-1/copies.stop",3]],"instances":[["routes/parallel-1/copies/copy",["routes/parallel-1/copies.start"]]],"blocks":[["routes/parallel-1/race",["routes/parallel-1/race.split"],["routes/parallel-1/race.end","routes/parallel-1/race.fire"],["routes/parallel-1/race/quick","routes/parallel-1/race/late"]],["routes/parallel-1/ledger",["routes/parallel-1/ledger.split"],["routes/parallel-1/ledger.join"],["routes/parallel-1/ledger/red","routes/parallel-1/ledger/black"]],["routes/parallel-1",["routes/parallel-1.split"],["routes/parallel-1.join"],["routes/parallel-1/copies","routes/parallel-1/race","routes/parallel-1/ledger"]]],"variables":null,"merge":{"seen":"collect"}}',1800000000.0);
INSERT INTO "definitions" VALUES('58f6699d5dc2abec79879f389a674adc6f27c061ad7f264ba37cd85a3b58e087','claim','{"net":{"name":"claim","form":"atomic","places":["claim/begin.in","claim/begin.out","claim/parallel-2.out","claim/parallel-2/reply/sequence-1/answered.in","claim/parallel-2/reply/sequence-1/answered.out","claim/parallel-2/reply/sequence-1/thank.out","claim/parallel-2/reply/sequence-2/week.out","claim/parallel-2/check.in","claim/parallel-2/check.out","claim/parallel-2/work.in","claim/parallel-2/work.out","claim/end.out"],"transitions":[{"id":"claim/begin","label":"begin","cancels":[],"arcs":[["consume","claim/begin.in",1],["produce","claim/begin.out",1]]},{"id":"claim/parallel-2/reply/sequence-1/answered.happens","label":null,"cancels":[],"arcs":[["consume","claim/parallel-2/reply/sequence-1/answered.in",1],["produce","claim/parallel-2/reply/sequence-1/answered.out",1]]},{"id":"claim/parallel-2/reply/sequence-1/thank","label":"thank","cancels":[],"arcs":[["consume","claim/parallel-2/reply/sequence-1/answered.out",1],["produce","claim/parallel-2/reply/sequence-1/thank.out",1]]},{"id":"claim/parallel-2/reply/sequence-2/week.happens","label":null,"cancels":[],"arcs":[["consume","claim/parallel-2/reply/sequence-1/answered.in",1],["produce","claim/parallel-2/reply/sequence-2/week.out",1]]},{"id":"claim/parallel-2/reply/sequence-2/remind","label":"remind","cancels":[],"arcs":[["consume","claim/parallel-2/reply/sequence-2/week.out",1],["produce","claim/parallel-2/reply/sequence-1/thank.out",1]]},{"id":"claim/parallel-2/check","label":"check","cancels":[],"arcs":[["consume","claim/parallel-2/check.in",1],["produce","claim/parallel-2/check.out",1]]},{"id":"claim/parallel-2/work","label":"work","cancels":[],"arcs":[["consume","claim/parallel-2/work.in",1],["produce","claim/parallel-2/work.out",1]]},{"id":"claim/parallel-2.split","label":null,"cancels":[],"arcs":[["consume","claim/begin.out",1],["produce","claim/parallel-2/check.in",1],["produce","claim/parallel-2/reply/sequence-1/answered.in",1],["produce","claim/parallel-2/work.in",1]]},{"id":"claim/parallel-2.join","label":null,"cancels":[],"arcs":[["consume","claim/parallel-2/check.out",1],["consume","claim/parallel-2/reply/sequence-1/thank.out",1],["consume","claim/parallel-2/work.out",1],["produce","claim/parallel-2.out",1]]},{"id":"claim/end","label":"end","cancels":[],"arcs":[["consume","claim/parallel-2.out",1],["produce","claim/end.out",1]]}],"initial":{},"final":null},"tasks":{"claim/begin":["step.<locals>.body","begin",0,null,1.0,2.0],"claim/parallel-2/reply/sequence-1/thank":["step.<locals>.body","thank",0,null,1.0,2.0],"claim/parallel-2/reply/sequence-2/remind":["step.<locals>.body","remind",0,null,1.0,2.0],"claim/parallel-2/check":["_nothing","check",0,null,1.0,2.0],"claim/parallel-2/work":["work","work",0,null,1.0,2.0],"claim/end":["step.<locals>.body","end",0,null,1.0,2.0]},"calls":{"claim/parallel-2/check":"check"},"choices":[],"triggers":{"claim/parallel-2/reply/sequence-1/answered.happens":["answered",true],"claim/parallel-2/reply/sequence-2/week.happens":[604800.0]},"counts":[],"instances":[],"blocks":[["claim/parallel-2",["claim/parallel-2.split"],["claim/parallel-2.join"],["claim/parallel-2/reply","claim/parallel-2/check","claim/parallel-2/work"]]],"variables":{"properties":{"amount":{"anyOf":[{"type":"number"},{"type":"string"}],"default":"12.50"},"seen":{"default":[],"items":{"type":"string"},"type":"array"},"answer":{"default":"","type":"string"}},"type":"object"},"merge":{"seen":"collect"}}',1800000000.0);
INSERT INTO "definitions" VALUES('b11f599e52536dfbf5d6d65ff627630a51027c5f298ae76216339ec8db7c180c','check','{"net":{"name":"check","form":"atomic","places":["check/look.in","check/look.out","check/checked.out"],"transitions":[{"id":"check/look","label":"look","cancels":[],"arcs":[["consume","check/look.in",1],["produce","check/look.out",1]]},{"id":"check/checked.happens","label":null,"cancels":[],"arcs":[["consume","check/look.out",1],["produce","check/checked.out",1]]}],"initial":{},"final":null},"tasks":{"check/look":["look","look",0,null,1.0,2.0]},"calls":{},"choices":[],"triggers":{"check/checked.happens":["checked",true]},"counts":[],"instances":[],"blocks":[],"variables":{"properties":{"amount":{"anyOf":[{"type":"number"},{"type":"string"}],"default":"12.50"},"seen":{"default":[],"items":{"type":"string"},"type":"array"},"answer":{"default":"","type":"string"}},"type":"object"},"merge":{}}',1800000000.0);
CREATE TABLE engines (
	id VARCHAR(32) NOT NULL, 
	lease_until DATETIME NOT NULL, 
	PRIMARY KEY (id)
);
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
INSERT INTO "events" VALUES('01a3185c5000-04e23864',1,1800000000.0,'CaseStarted','{"variables":{"order_id":7}}','[]','{"order/payment.in":1}',0);
INSERT INTO "events" VALUES('01a3185c5000-40e8ff6b',1,1800000000.0,'CaseStarted','{"variables":{}}','["paper.split","paper/review.start","paper/sign.start"]','{"paper/review.running":1,"paper/sign.running":1}',0);
INSERT INTO "events" VALUES('01a3185c5000-40e8ff6b',2,1800000000.0,'TaskClaimed','{"firing_id":"01a3185c5000-40e8ff6b/paper/sign/2","by":"carl"}','[]','{}',0);
INSERT INTO "events" VALUES('01a3185c5000-43534147',1,1800000000.0,'CaseStarted','{"variables":{"n":2,"seen":[],"colour":"blue"}}','["routes/parallel-1.split","routes/parallel-1/copies.start","routes/parallel-1/copies/copy.start","routes/parallel-1/race.split","routes/parallel-1/race/quick.start","routes/parallel-1/race/late.start","routes/parallel-1/ledger.split","routes/parallel-1/ledger/red.start"]','{"routes/parallel-1/copies.counting":1,"routes/parallel-1/copies.free":2,"routes/parallel-1/copies/copy.running":1,"routes/parallel-1/race.ready":1,"routes/parallel-1/race/quick.running":1,"routes/parallel-1/race/late.running":1,"routes/parallel-1/ledger/black.in":1,"routes/parallel-1/ledger/red.running":1}',0);
INSERT INTO "events" VALUES('01a3185c5000-43534147',2,1800000000.0,'Decided','{"choice":"routes/parallel-1/copies","number":1,"takes":[2]}','["routes/parallel-1/copies.more","routes/parallel-1/copies.stop","routes/parallel-1/copies/copy.start"]','{"routes/parallel-1/copies.counting":-1,"routes/parallel-1/copies.free":-1,"routes/parallel-1/copies.waiting":1,"routes/parallel-1/copies/copy.running":1}',0);
INSERT INTO "events" VALUES('01a3185c5000-43534147',3,1800000000.0,'TaskCompleted','{"firing_id":"01a3185c5000-43534147/routes/parallel-1/race/quick/2","updates":{"seen":"quick"}}','["routes/parallel-1/race/quick.complete","routes/parallel-1/race.fire","routes/parallel-1/race/then.start"]','{"routes/parallel-1/race/quick.running":-1,"routes/parallel-1/race.ready":-1,"routes/parallel-1/race.fired":1,"routes/parallel-1/race/then.running":1}',0);
INSERT INTO "events" VALUES('01a3185c5000-43534147',4,1800000000.0,'TaskCompleted','{"firing_id":"01a3185c5000-43534147/routes/parallel-1/race/then/6","updates":{"seen":"then"}}','["routes/parallel-1/race/then.complete"]','{"routes/parallel-1/race/then.out":1,"routes/parallel-1/race/then.running":-1}',0);
INSERT INTO "events" VALUES('01a3185c5000-579422b1',1,1800000000.0,'CaseStarted','{"variables":{}}','["trip/book.start"]','{"trip/book.running":1}',0);
INSERT INTO "events" VALUES('01a3185c5000-579422b1',2,1800000000.0,'TaskCompleted','{"firing_id":"01a3185c5000-579422b1/trip/book/1","updates":{"booking":"01a3185c5000-579422b1/trip/book/1"}}','["trip/book.complete","trip/pay.start"]','{"trip/book.running":-1,"trip/pay.running":1}',0);
INSERT INTO "events" VALUES('01a3185c5000-579422b1',3,1800000000.0,'TaskFailed','{"firing_id":"01a3185c5000-579422b1/trip/pay/2","error":"OSError: the bank is closed","final":false}','[]','{}',0);
INSERT INTO "events" VALUES('01a3185c5000-579422b1',4,1800000000.0,'CancelRequested','{"reason":"nobody travels"}','[]','{}',0);
INSERT INTO "events" VALUES('01a3185c5000-68295876',1,1800000000.0,'CaseStarted','{"variables":{"amount":"1","seen":[],"answer":""}}','["check/look.start"]','{"check/look.running":1}',0);
INSERT INTO "events" VALUES('01a3185c5000-68295876',2,1800000000.0,'TaskCompleted','{"firing_id":"01a3185c5000-68295876/check/look/1","updates":{"answer":"fine"}}','["check/look.complete"]','{"check/look.out":1,"check/look.running":-1}',0);
INSERT INTO "events" VALUES('01a3185c5000-68295876',3,1800000000.0,'EventReceived','{"name":"checked","payload":{}}','["check/checked.happens"]','{"check/look.out":-1,"check/checked.out":1}',0);
INSERT INTO "events" VALUES('01a3185c5000-6cc61dc7',1,1800000000.0,'CaseStarted','{"variables":{"amount":"12","seen":[],"answer":""}}','["claim/begin.start"]','{"claim/begin.running":1}',0);
INSERT INTO "events" VALUES('01a3185c5000-6cc61dc7',2,1800000000.0,'TaskCompleted','{"firing_id":"01a3185c5000-6cc61dc7/claim/begin/1","updates":{"seen":"begin"}}','["claim/begin.complete","claim/parallel-2.split","claim/parallel-2/check.start","claim/parallel-2/work.start"]','{"claim/begin.running":-1,"claim/parallel-2/reply/sequence-1/answered.in":1,"claim/parallel-2/check.running":1,"claim/parallel-2/work.running":1}',0);
INSERT INTO "events" VALUES('01a3185c5000-6cc61dc7/claim/parallel-2/check/2',1,1800000000.0,'CaseStarted','{"variables":{"amount":"12","seen":["begin"],"answer":""}}','["check/look.start"]','{"check/look.running":1}',0);
INSERT INTO "events" VALUES('01a3185c5000-6cc61dc7/claim/parallel-2/check/2',2,1800000000.0,'TaskCompleted','{"firing_id":"01a3185c5000-6cc61dc7/claim/parallel-2/check/2/check/look/1","updates":{"answer":"fine"}}','["check/look.complete"]','{"check/look.out":1,"check/look.running":-1}',0);
INSERT INTO "events" VALUES('01a3185c5000-8c4b9569',1,1800000000.0,'CaseStarted','{"variables":{}}','["trip/book.start"]','{"trip/book.running":1}',0);
INSERT INTO "events" VALUES('01a3185c5000-8c4b9569',2,1800000000.0,'TaskCompleted','{"firing_id":"01a3185c5000-8c4b9569/trip/book/1","updates":{"booking":"01a3185c5000-8c4b9569/trip/book/1"}}','["trip/book.complete","trip/pay.start"]','{"trip/book.running":-1,"trip/pay.running":1}',0);
INSERT INTO "events" VALUES('01a3185c5000-8c4b9569',3,1800000000.0,'TaskFailed','{"firing_id":"01a3185c5000-8c4b9569/trip/pay/2","error":"OSError: the bank is closed","final":false}','[]','{}',0);
INSERT INTO "events" VALUES('01a3185c5000-df162337',1,1800000000.0,'CaseStarted','{"variables":{"amount":"99.90","seen":[],"answer":""}}','["claim/begin.start"]','{"claim/begin.running":1}',0);
INSERT INTO "events" VALUES('01a3185c5000-df162337',2,1800000000.0,'TaskCompleted','{"firing_id":"01a3185c5000-df162337/claim/begin/1","updates":{"seen":"begin"}}','["claim/begin.complete","claim/parallel-2.split","claim/parallel-2/check.start","claim/parallel-2/work.start"]','{"claim/begin.running":-1,"claim/parallel-2/reply/sequence-1/answered.in":1,"claim/parallel-2/check.running":1,"claim/parallel-2/work.running":1}',0);
INSERT INTO "events" VALUES('01a3185c5000-df162337',3,1800000000.0,'Suspended','{"reason":"until the summer is over"}','[]','{}',0);
INSERT INTO "events" VALUES('01a3185c5000-df162337/claim/parallel-2/check/2',1,1800000000.0,'CaseStarted','{"variables":{"amount":"99.90","seen":["begin"],"answer":""}}','["check/look.start"]','{"check/look.running":1}',0);
INSERT INTO "events" VALUES('01a3185c5000-df162337/claim/parallel-2/check/2',2,1800000000.0,'TaskCompleted','{"firing_id":"01a3185c5000-df162337/claim/parallel-2/check/2/check/look/1","updates":{"answer":"fine"}}','["check/look.complete"]','{"check/look.out":1,"check/look.running":-1}',0);
INSERT INTO "events" VALUES('01a3185c5000-df162337/claim/parallel-2/check/2',3,1800000000.0,'Suspended','{"reason":"until the summer is over"}','[]','{}',0);
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
INSERT INTO "inbox" VALUES('01a3185c5000-68295876','once','checked',1800000000.0);
CREATE TABLE incidents (
	case_id TEXT NOT NULL, 
	incident TEXT NOT NULL, 
	element TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	error TEXT NOT NULL, 
	since FLOAT NOT NULL, 
	PRIMARY KEY (case_id, incident), 
	FOREIGN KEY(case_id) REFERENCES cases (id)
)
 WITHOUT ROWID

;
INSERT INTO "incidents" VALUES('01a3185c5000-8c4b9569','01a3185c5000-8c4b9569/trip/pay/2','trip/pay','TaskFailed','task ''trip/pay'': OSError: the bank is closed',1800000000.0);
CREATE TABLE keys (
	workflow TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	case_id TEXT NOT NULL, 
	PRIMARY KEY (workflow, "key"), 
	FOREIGN KEY(case_id) REFERENCES cases (id)
)
 WITHOUT ROWID

;
INSERT INTO "keys" VALUES('order','order 7','01a3185c5000-04e23864');
INSERT INTO "keys" VALUES('paper','paper','01a3185c5000-40e8ff6b');
INSERT INTO "keys" VALUES('routes','routes','01a3185c5000-43534147');
INSERT INTO "keys" VALUES('trip','given up','01a3185c5000-579422b1');
INSERT INTO "keys" VALUES('check','the first','01a3185c5000-68295876');
INSERT INTO "keys" VALUES('claim','open','01a3185c5000-6cc61dc7');
INSERT INTO "keys" VALUES('trip','incident','01a3185c5000-8c4b9569');
INSERT INTO "keys" VALUES('claim','held','01a3185c5000-df162337');
CREATE TABLE messages (
	id TEXT NOT NULL, 
	event TEXT NOT NULL, 
	about TEXT NOT NULL, 
	payload JSON NOT NULL, 
	at FLOAT NOT NULL, 
	taken_by TEXT, 
	PRIMARY KEY (id)
)
 WITHOUT ROWID

;
INSERT INTO "messages" VALUES('25b1d782e15d19ec35a1aab5fd8bb6a1','payment','8','{"by":"ada"}',1800000000.0,NULL);
CREATE TABLE orders (
	id VARCHAR(32) NOT NULL, 
	case_id TEXT NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	data JSON NOT NULL, 
	at FLOAT NOT NULL, 
	answer JSON, 
	PRIMARY KEY (id), 
	FOREIGN KEY(case_id) REFERENCES cases (id)
)
 WITHOUT ROWID

;
CREATE TABLE schedules (
	name TEXT NOT NULL, 
	workflow TEXT NOT NULL, 
	cron TEXT NOT NULL, 
	timezone TEXT NOT NULL, 
	variables JSON NOT NULL, 
	created_at FLOAT NOT NULL, 
	next_at FLOAT NOT NULL, 
	last_case TEXT, 
	PRIMARY KEY (name)
)
 WITHOUT ROWID

;
INSERT INTO "schedules" VALUES('nightly','order','0 6 * * *','UTC','{"order_id":99}',1800000000.0,1800079200.0,NULL);
CREATE TABLE subscriptions (
	case_id TEXT NOT NULL, 
	transition TEXT NOT NULL, 
	event TEXT NOT NULL, 
	about TEXT NOT NULL, 
	at FLOAT NOT NULL, 
	PRIMARY KEY (case_id, transition), 
	FOREIGN KEY(case_id) REFERENCES cases (id)
)
 WITHOUT ROWID

;
INSERT INTO "subscriptions" VALUES('01a3185c5000-04e23864','order/payment.happens','payment','7',1800000000.0);
CREATE TABLE timers (
	case_id TEXT NOT NULL, 
	timer TEXT NOT NULL, 
	due FLOAT NOT NULL, 
	PRIMARY KEY (case_id, timer), 
	FOREIGN KEY(case_id) REFERENCES cases (id)
)
 WITHOUT ROWID

;
INSERT INTO "timers" VALUES('01a3185c5000-6cc61dc7','claim/parallel-2/reply/sequence-2/week.happens#2',1800604800.0);
INSERT INTO "timers" VALUES('01a3185c5000-df162337','claim/parallel-2/reply/sequence-2/week.happens#2',1800604800.0);
INSERT INTO "timers" VALUES('01a3185c5000-40e8ff6b','01a3185c5000-40e8ff6b/paper/sign/2',1802592000.0);
CREATE TABLE work_items (
	id TEXT NOT NULL, 
	case_id TEXT NOT NULL, 
	workflow TEXT NOT NULL, 
	task TEXT NOT NULL, 
	role TEXT NOT NULL, 
	holder TEXT, 
	offered_at FLOAT NOT NULL, 
	claimed_at FLOAT, 
	instance INTEGER, 
	PRIMARY KEY (id), 
	FOREIGN KEY(case_id) REFERENCES cases (id)
)
 WITHOUT ROWID

;
INSERT INTO "work_items" VALUES('01a3185c5000-40e8ff6b/paper/review/1','01a3185c5000-40e8ff6b','paper','paper/review','reviewer',NULL,1800000000.0,NULL,NULL);
INSERT INTO "work_items" VALUES('01a3185c5000-40e8ff6b/paper/sign/2','01a3185c5000-40e8ff6b','paper','paper/sign','boss','carl',1800000000.0,1800000000.0,NULL);
CREATE INDEX open_messages ON messages (event, about) WHERE taken_by IS NULL;
CREATE INDEX ix_schedules_next_at ON schedules (next_at);
CREATE INDEX called_cases ON cases (parent) WHERE parent IS NOT NULL;
CREATE INDEX active_cases ON cases (owner) WHERE status IN ('running', 'suspended') AND active;
CREATE INDEX owned_cases ON cases (owner) WHERE status IN ('running', 'suspended');
CREATE INDEX open_cases ON cases (definition) WHERE status = 'running';
CREATE INDEX suspended_cases ON cases (definition) WHERE status = 'suspended';
CREATE INDEX ix_timers_due ON timers (due);
CREATE INDEX ix_keys_case_id ON keys (case_id);
CREATE INDEX ix_orders_case_id ON orders (case_id);
CREATE INDEX open_orders ON orders (case_id) WHERE answer IS NULL;
CREATE INDEX subscribed_events ON subscriptions (event, about);
CREATE INDEX ix_work_items_case_id ON work_items (case_id);
CREATE INDEX offered_work ON work_items (role, offered_at);
COMMIT;
PRAGMA application_id = 1346792567;
PRAGMA user_version = 4;
