-- A pattern that tries every way to divide a text, before the iterator's first step ends.
-- run: dirty more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  for _ in ('a'):rep(1000):gmatch(('a*'):rep(8) .. 'b') do end
end

return stage
