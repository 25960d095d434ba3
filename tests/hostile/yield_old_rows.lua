-- A loop over rows goes on in the next batch.
-- run: dirty first|earlier batch|dead coroutine
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  if not old then
    old = coroutine.wrap(function() for row in batch:rows() do coroutine.yield(row) end end)
    old()
    error('first')
  end
  local row = old()
  return row.__offset__
end

return stage
