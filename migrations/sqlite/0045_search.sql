-- Which revision of a post the search knows. Every change of a post raises its revision, so nothing that changes posts
-- can forget the search.
ALTER TABLE posts ADD COLUMN searched_revision INTEGER NOT NULL DEFAULT 0;
CREATE INDEX posts_unsearched_idx ON posts (id) WHERE searched_revision <> revision;

-- The number under which the search knows a post; the rows of what is below are not to depend on SQLite's own, which a
-- copy of the file numbers anew.
CREATE TABLE searched_posts (
    number INTEGER NOT NULL PRIMARY KEY,
    post_id TEXT NOT NULL REFERENCES posts (id)
);
CREATE UNIQUE INDEX searched_posts_post_key ON searched_posts (post_id);

-- The words of a post as they are written, without their marks, and what it is filtered by. What the words are is
-- said by the program; here they only have spaces between them.
CREATE VIRTUAL TABLE post_words USING fts5 (
    exact, folded, facets, content = '', contentless_delete = 1,
    tokenize = "unicode61 remove_diacritics 0 categories 'L* N* M* Co'"
);
