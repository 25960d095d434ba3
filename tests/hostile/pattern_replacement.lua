-- A replacement of many captures, all of them empty, at each place of a text.
-- run: dirty more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  return (('a'):rep(1 << 16):gsub('(b?)a', ('%1'):rep(1 << 16)))
end

return stage
