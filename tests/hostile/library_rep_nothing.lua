-- Nothing, very often.
-- run: fine
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  assert((''):rep(math.maxinteger) == '' and (''):rep(1 << 62, '') == '')
end

return stage
