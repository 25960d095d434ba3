-- A pattern that tries every way to divide a text, in a batch without rows too.
-- check: pattern_catastrophe_check.lua:7: more than 1000000 instructions for one batch
-- run: dirty more than 1000000 instructions for one batch
local stage = {}

function stage.process()
  return ('a'):rep(1000):match(('.-'):rep(8) .. 'x')
end

return stage
