WITH
visitors AS (
    SELECT
        visitor,
        minIf(at, kind = 'exposure') AS exposed,
        maxIf(bot, kind = 'exposure') AS is_bot,
        groupUniqArrayIf(toString(variant), kind = 'purchase') AS paid,
        groupArrayIf((`order`, at, ifNull(amount, 0)), kind = 'purchase') AS bought,
        groupArrayIf((`order`, ifNull(amount, 0)), kind = 'cancellation') AS returned
    FROM events FINAL
    WHERE experiment = {experiment:String} AND kind IN ('exposure', 'purchase', 'cancellation') AND at <= received_at
        AND (kind != 'exposure' OR at >= fromUnixTimestamp64Milli({from:Int64}, 'UTC'))
        AND (kind = 'cancellation' OR at < fromUnixTimestamp64Milli({to:Int64}, 'UTC'))
    GROUP BY visitor
    HAVING countIf(kind = 'exposure') > 0 AND length(visitor) = lengthUTF8(visitor)
),
assigned AS (
    SELECT *,
        arrayFirstIndex((first, end) -> bucket >= first AND bucket < end, {firsts:Array(UInt32)}, {ends:Array(UInt32)}) AS arm
    FROM (SELECT *, reinterpret(visitor, 'Array(UInt8)') AS bytes, /* bucket */ AS bucket FROM visitors)
    WHERE arm > 0 /* namespace */
),
before AS (
    SELECT visitor, sum(amount) AS spent
    FROM product_sales FINAL
    WHERE product IN {products:Array(String)}
        AND at >= fromUnixTimestamp64Milli({before:Int64}, 'UTC') AND at < fromUnixTimestamp64Milli({from:Int64}, 'UTC')
    GROUP BY visitor
),
counted AS (
    SELECT
        arm,
        multiIf(is_bot, 2, arrayExists(variant -> variant != {keys:Array(String)}[arm], paid), 1, 0) AS excluded,
        toDate(exposed) AS day,
        arrayFilter(line -> line.2 >= exposed, bought) AS lines,
        arrayFilter(
            sale -> sale.3 > 0,
            arrayMap(
                sold -> (
                    toDate(arrayMin(line -> if(line.1 = sold, line.2, toDateTime64('2200-01-01', 3, 'UTC')), lines)),
                    arraySum(line -> if(line.1 = sold, line.3, 0), lines) + arraySum(line -> if(line.1 = sold, line.2, 0), returned),
                    countEqual(lines.1, sold) - countEqual(returned.1, sold)
                ),
                arrayDistinct(lines.1)
            )
        ) AS sales,
        toInt256(length(sales)) AS orders,
        toInt256(arraySum(sales.2)) AS revenue,
        toInt256(before.spent) AS spent
    FROM assigned LEFT JOIN before USING (visitor)
),
arms AS (
    SELECT
        arm,
        excluded,
        count() AS users,
        countIf(orders > 0) AS conversions,
        [
            sum(orders), sum(orders * orders), sum(revenue), sum(revenue * revenue), sum(revenue * orders),
            sum(spent), sum(spent * spent), sum(spent * revenue)
        ] AS sums,
        groupArrayIf(toInt64(revenue), revenue != 0) AS revenues,
        sumMap([day], [toUInt64(1)]) AS users_of_day,
        sumMapIf([arrayMin(sales.1)], [toUInt64(1)], orders > 0) AS conversions_of_day,
        sumMap(sales.1, arrayMap(sale -> toUInt64(1), sales)) AS orders_of_day,
        sumMap(sales.1, sales.2) AS revenue_of_day
    FROM counted
    GROUP BY arm, excluded
),
capped AS (
    SELECT *,
        arraySort(groupArrayArrayIf(revenues, excluded = 0) OVER ()) AS all_revenues,
        toInt64(sumIf(users, excluded = 0) OVER ()) AS all_users,
        greatest(1, intDiv(all_users * {quantile:Int64} + 9999, 10000)) - (all_users - toInt64(length(all_revenues))) AS place,
        if(place > 0, all_revenues[place], 0) AS cap
    FROM arms
)
SELECT
    toUInt32(arm) AS arm,
    toUInt8(excluded) AS excluded,
    users,
    conversions,
    arrayMap(sum -> toString(sum), sums) AS sums,
    cap,
    toString(arraySum(revenue -> toInt256(least(revenue, cap)), revenues)) AS capped_revenue,
    toString(arraySum(revenue -> toInt256(least(revenue, cap)) * least(revenue, cap), revenues)) AS capped_revenue_squares,
    arrayCount(revenue -> revenue > cap, revenues) AS capped,
    (arrayMap(day -> toString(day), users_of_day.1), users_of_day.2) AS users_of_day,
    (arrayMap(day -> toString(day), conversions_of_day.1), conversions_of_day.2) AS conversions_of_day,
    (arrayMap(day -> toString(day), orders_of_day.1), orders_of_day.2) AS orders_of_day,
    (arrayMap(day -> toString(day), revenue_of_day.1), revenue_of_day.2) AS revenue_of_day
FROM capped
SETTINGS optimize_aggregation_in_order = 1
